/** What is said over machines: their boots, as the regions remember them, and what each would boot now. */
import {
  BOOT_DECISIONS,
  BOOT_OUTCOMES,
  BOOT_PROTOCOLS,
  BOOT_STAGES,
  EXIT_METHODS,
  TASK_STATUS_NAMES,
} from '@lpmos/core';
import { z } from 'zod';
import { macField, regionIdField } from '../fields';

export const machineParams = z.strictObject({ mac: macField });
export const machineBootsQuery = z.strictObject({ region_id: regionIdField.optional() });

const bootRecordSchema = z.object({
  first_at: z.string(),
  last_at: z.string(),
  count: z.number().describe('How often the same was asked and answered between the two times.'),
  protocol: z.enum(BOOT_PROTOCOLS),
  stage: z.enum(BOOT_STAGES).optional().describe('Who asked, where the request shows it.'),
  request: z.string(),
  decision: z.enum(BOOT_DECISIONS).optional(),
  outcome: z.enum(BOOT_OUTCOMES),
  reason: z.string(),
  bytes: z.number().optional(),
  peer: z.string(),
});

export const bootTaskSchema = z.object({
  task_id: z.string(),
  status: z.enum(TASK_STATUS_NAMES),
  attempt: z.number(),
  exit_method: z.enum(EXIT_METHODS).optional(),
  grant_live: z.boolean().optional().describe('Absent without a grant.'),
});

export const machineBootsSchema = z.object({
  mac: z.string(),
  regions: z.array(
    z.object({
      region_id: z.string(),
      online: z.boolean(),
      boots: z.array(bootRecordSchema).describe('Newest last. The region writes them every few seconds.'),
      dropped: z.number().describe('Older entries that had to make room.'),
      task: bootTaskSchema.optional().describe('The task that decides; absent when none names the machine.'),
      next_boot: z.object({
        decision: z.enum(BOOT_DECISIONS),
        purpose: z.string().optional(),
        reason: z.string(),
      }),
    }),
  ),
});
