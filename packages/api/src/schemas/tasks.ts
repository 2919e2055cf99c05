/**
 * What is said over tasks: request bodies (strict: a field that is not here is refused) and answers.
 * Names and shapes are the contract's (seed 002 section 4.1); what goes beyond it is optional or has a route of its own.
 * Answers are plain objects, so that a client of today reads the answers of a newer server.
 */
import { BOOT_ORDERS, EXIT_METHODS, FAILURE_CLASSES, TASK_EVENT_NAMES, TASK_STATUS_NAMES } from '@lpmos/core';
import { z } from 'zod';
import {
  diskSelectorField,
  hostnameField,
  integerText,
  macField,
  osWordField,
  regionIdField,
  revisionField,
  sentenceField,
  sshKeysField,
  statusesText,
  tagFiltersText,
  tagsField,
  taskIdField,
} from '../fields';
import { approvalSchema, hardwareSchema } from './hardware';

const time = z.string().describe('RFC 3339, UTC');
export const statusSchema = z.enum(TASK_STATUS_NAMES);

const machineBootFields = {
  exit_method: z
    .enum(EXIT_METHODS, `must be one of ${EXIT_METHODS.join(', ')}`)
    .optional()
    .describe(
      'How the machine leaves the network boot for its disk, where the default of its firmware is wrong.',
    ),
  order: z
    .enum(BOOT_ORDERS, `must be one of ${BOOT_ORDERS.join(', ')}`)
    .optional()
    .describe('Whether the agent puts the disk first in the boot order of UEFI; disk-first by default.'),
};

export const createTaskBody = z.strictObject({
  region_id: regionIdField,
  target_mac: macField,
  os_type: osWordField,
  os_version: osWordField,
  disk_layout: diskSelectorField.default('auto'),
  network_config: z.literal('dhcp').default('dhcp'),
  tags: tagsField.default({}),
  hostname: hostnameField.optional(),
  ssh_authorized_keys: sshKeysField.default([]),
  boot: z.strictObject(machineBootFields).optional(),
});

export const approveTaskBody = z.strictObject({
  approved: z.boolean(),
  notes: sentenceField(1000).optional(),
  target_disk: diskSelectorField.optional(),
});

export const rejectTaskBody = z.strictObject({
  reason: sentenceField(1000).min(1, 'must say why, in at least one character'),
});

export const taskParams = z.strictObject({ task_id: taskIdField });

/** The largest page; a longer list is paged by cursor. */
export const MAX_PAGE = 200;

export const listTasksQuery = z.strictObject({
  region_id: regionIdField.optional(),
  status: statusesText.optional(),
  target_mac: macField.optional(),
  tag: tagFiltersText.optional(),
  limit: integerText({ min: 1, max: MAX_PAGE, default: 50 }),
  offset: integerText({ min: 0, max: 1_000_000, default: 0 }),
  cursor: taskIdField.optional().describe('next_cursor of the page before; takes precedence over offset'),
  view: z.enum(['basic', 'full'], 'must be basic (the four fields of the contract) or full').default('basic'),
});

export const createdTaskSchema = z.object({
  task_id: z.string(),
  status: statusSchema,
  created_at: time,
  links: z.object({ self: z.string(), approve: z.string() }),
});

const runSchema = z.object({
  attempt: z.number().int(),
  state_since: time,
  deadline: time.optional(),
  waiting_for: z.string().optional(),
  cancellation: z.object({ by: z.string(), at: time }).optional(),
});

export const progressSchema = z.object({
  attempt: z.number().int(),
  phase: z.string(),
  percent: z.number(),
  message: z.string(),
  bytes_done: z.number().optional(),
  bytes_total: z.number().optional(),
  at: time,
});

const taskErrorSchema = z.object({
  class: z.enum(FAILURE_CLASSES),
  message: z.string(),
  at: time,
  attempt: z.number().int(),
});

export const timelineEventSchema = z.object({
  timestamp: time,
  event: z.enum(['task_created', ...TASK_EVENT_NAMES]),
  seq: z.number().int(),
  from: statusSchema.optional(),
  to: statusSchema,
  actor: z.string(),
  request_id: z.string().optional(),
  detail: z.string().optional(),
});

const metadataSchema = z.object({
  id: z.string(),
  region_id: z.string(),
  target_mac: z.string(),
  os_type: z.string(),
  os_version: z.string(),
  disk_layout: z.string(),
  network_config: z.string(),
  created_at: time,
  created_by: z.string(),
  tags: z.record(z.string(), z.string()),
  project: z.string(),
  hostname: z.string().optional(),
  boot: z.object(machineBootFields).optional(),
  ssh_authorized_keys: z.array(z.string()),
});

export const taskSchema = z.object({
  task_id: z.string(),
  status: statusSchema,
  metadata: metadataSchema,
  hardware: hardwareSchema.optional(),
  hardware_digest: z.string().optional().describe('What an approval is bound to.'),
  approval: approvalSchema.optional(),
  timeline: z.array(timelineEventSchema),
  run: runSchema,
  progress: progressSchema.optional(),
  error: taskErrorSchema.optional(),
  version: z.string().describe('Changes with every transition; the ETag, for If-Match.'),
});

export const taskListSchema = z.object({
  tasks: z.array(
    z.object({
      task_id: z.string(),
      status: statusSchema,
      region_id: z.string(),
      created_at: time,
      target_mac: z.string().optional().describe('This and what follows with view=full only.'),
      os_type: z.string().optional(),
      os_version: z.string().optional(),
      hostname: z.string().optional(),
      tags: z.record(z.string(), z.string()).optional(),
      state_since: time.optional(),
      deadline: time.optional(),
      waiting_for: z.string().optional(),
      progress: progressSchema.optional(),
      version: z.string().optional(),
    }),
  ),
  total: z.number().int(),
  limit: z.number().int(),
  offset: z.number().int(),
  next_cursor: z.string().optional().describe('Present while more tasks follow.'),
});

export const approvedTaskSchema = z.object({
  task_id: z.string(),
  approval: z.object({
    status: z.enum(['approved', 'rejected']),
    approved_by: z.string().optional(),
    approved_at: time.optional(),
    rejected_by: z.string().optional(),
    rejected_at: time.optional(),
    reason: z.string().optional(),
  }),
  next_status: statusSchema.optional().describe('Absent when the task was rejected.'),
  details: z
    .object({
      disk: z.object({
        serial: z.string(),
        wwn: z.string(),
        model: z.string(),
        size_bytes: z.number().int(),
      }),
      image_digest: z.string(),
      hardware_digest: z.string(),
      grant_expires_at: time,
      version: z.string(),
    })
    .optional()
    .describe('What the approval is bound to.'),
});

export const rejectedTaskSchema = z.object({
  task_id: z.string(),
  approval: z.object({
    status: z.literal('rejected'),
    rejected_by: z.string(),
    rejected_at: time,
    reason: z.string(),
  }),
});

export const timelineSchema = z.object({
  task_id: z.string(),
  status: statusSchema,
  timeline: z.array(timelineEventSchema),
});

export const explanationSchema = z.object({
  task_id: z.string(),
  status: statusSchema,
  sentence: z.string().describe('What the status means.'),
  whose_move: z.enum(['region', 'machine', 'operator', 'nobody']),
  since: time,
  deadline: time.optional(),
  on_deadline: z.enum(['failed', 'stalled']).optional(),
  waiting_for: z.string().optional(),
  stalled: z.boolean(),
  stalled_because: z.string().optional(),
  region: z.object({ region_id: z.string(), online: z.boolean(), last_heartbeat: time.optional() }),
  next_boot: z.object({
    decision: z.enum(['agent', 'local-disk', 'silent', 'wait']),
    purpose: z.enum(['report', 'install']).optional(),
    reason: z.string(),
  }),
  allowed_now: z
    .array(z.object({ event: z.enum(TASK_EVENT_NAMES), sentence: z.string(), request: z.string() }))
    .describe('What a person may do now, and with which request.'),
});

export const eventsQuery = z.strictObject({
  task_id: taskIdField.optional(),
  region_id: regionIdField.optional(),
});

/** The data of one `task` event: where to look, with enough to draw it. */
export const taskEventSchema = z.object({
  task_id: z.string(),
  region_id: z.string(),
  status: statusSchema,
  version: z.string(),
  revision: z.string(),
  attempt: z.number().int(),
  waiting_for: z.string().optional(),
  latest: timelineEventSchema.optional(),
  progress: progressSchema.optional(),
  error: taskErrorSchema.optional(),
});

export const lastEventIdField = revisionField;
