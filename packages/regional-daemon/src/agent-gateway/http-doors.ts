/**
 * What the seed's two POSTs mean. A tiny agent shows its ticket with every request; an installed host shows its check-in token once.
 * An answer of 200 says that the statement is durable in etcd, so each door waits for the planner to settle it.
 */
import { applyEvent, invalidField, isTaskId, LpmosError, readMacAddress } from '@lpmos/core';
import type { Fence, StoredHardware, TaskEvent, TaskId, TaskRecord, TaskStore } from '@lpmos/core';
import { WireHardwareReport } from '@lpmos/proto';
import { sameToken } from '../boot/secrets';
import { checkInToken } from '../boot/tokens';
import { admit } from './admission';
import type { AdmissionOptions } from './admission';
import type { Agents } from './agents';
import { LONGEST_MESSAGE, printable, readHardware, takeMessage } from './conversation';
import type { ConversationOptions } from './conversation';
import { readFields } from './http-fields';
import type { FieldRules, FieldsOf } from './http-fields';
import { nextSeq, settled, unaryNonce } from './statement';

export interface HttpDoorOptions extends AdmissionOptions, ConversationOptions {
  readonly agents: Agents;
  readonly store: TaskStore;
  readonly fence: () => Fence | undefined;
  readonly actor: string;
}

const REPORT_FIELDS = {
  mac_address: { kind: 'text' },
  hardware: { kind: 'object' },
  task_id: { kind: 'text', optional: true },
} as const satisfies FieldRules;

const STATUS_FIELDS = {
  mac_address: { kind: 'text' },
  task_id: { kind: 'text' },
  status: { kind: 'text' },
  progress: { kind: 'percent', optional: true },
  message: { kind: 'text', optional: true, longest: 10_000 },
} as const satisfies FieldRules;

type StatusFields = FieldsOf<typeof STATUS_FIELDS>;

export interface DoorRequest {
  /** The bearer token. */
  readonly token: string;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

export async function answerReport(options: HttpDoorOptions, request: DoorRequest): Promise<unknown> {
  const { token, signal } = request;
  const fields = readFields(request.body, REPORT_FIELDS);
  const taskId = fields.task_id ?? token.split('.')[0] ?? '';
  // Who may not speak learns nothing of what would be a valid report.
  const speaker = await admitBearer(options, { ticket: token, taskId, mac: fields.mac_address });
  const hardware = hardwareOf(options, fields);
  const seq = nextSeq(options.clock);
  await settled({
    ...{ agents: options.agents, ...speaker, seq, signal },
    say: () => options.agents.hear(speaker.taskId, speaker.sessionId, seq, { report: { seq, hardware } }),
  });
  return { status: 'received', task_id: speaker.taskId, next_action: 'wait_for_approval' };
}

function hardwareOf(options: HttpDoorOptions, fields: FieldsOf<typeof REPORT_FIELDS>): StoredHardware {
  const wire = camelCased({ ...fields.hardware, mac_address: fields.mac_address });
  const hardware = readHardware(WireHardwareReport.fromJSON(wire), options.sha256);
  if (!('problem' in hardware)) return hardware;
  throw new LpmosError({
    code: 'invalid_argument',
    message: hardware.problem,
    fields: [{ path: 'hardware', problem: hardware.problem }],
  });
}

export async function answerStatus(options: HttpDoorOptions, request: DoorRequest): Promise<unknown> {
  const { token, signal } = request;
  const fields = readFields(request.body, STATUS_FIELDS);
  const { status, message = '' } = fields;
  if (status === 'host_up') return checkIn(options, token, fields);
  if (status !== 'installing' && status !== 'completed' && status !== 'failed') {
    throw invalidField('status', 'must be installing, completed, failed or host_up');
  }
  const speaker = await admitBearer(options, {
    ticket: token,
    taskId: fields.task_id,
    mac: fields.mac_address,
  });
  if (speaker.task.status !== 'installing') return answerOutOfTurn(speaker.task, status);
  const { attempt } = speaker.task.run;
  const seq = nextSeq(options.clock);
  if (status === 'installing') {
    const percent = fields.progress ?? 0;
    const progress = { attempt, phase: 'installing', percent, message, bytesDone: '0', bytesTotal: '0' };
    takeMessage(options, speaker, { seq, message: { $case: 'progress', value: progress } });
    return { status: 'received' };
  }
  const success = status === 'completed';
  const result = { attempt, success, failureClass: 'agent_fault', message, diskTouched: true };
  await settled({
    ...{ agents: options.agents, ...speaker, seq, signal },
    say: () => void takeMessage(options, speaker, { seq, message: { $case: 'result', value: result } }),
  });
  return { status: 'received' };
}

/** An end that is stored already may be said again, because its answer can get lost; anything else was never ordered. */
function answerOutOfTurn(task: TaskRecord, status: string): unknown {
  if (task.status === status) return { status: 'received' };
  throw new LpmosError({
    code: 'not_allowed_in_state',
    message: `Task ${task.metadata.id} is ${task.status}; "${status}" is said while it is installing`,
    details: { task_id: task.metadata.id, status: task.status },
  });
}

/** The installed host says that it runs from its disk. It moves nothing but the timeline; said twice, it counts once. */
async function checkIn(options: HttpDoorOptions, token: string, fields: StatusFields): Promise<unknown> {
  const taskId = fields.task_id;
  if (!isTaskId(taskId)) throw invalidField('task_id', 'is no task id');
  if (!sameToken(token, checkInToken(options.secrets, taskId))) {
    throw new LpmosError({
      code: 'unauthenticated',
      message: 'The check-in token is not valid for this task',
    });
  }
  const task = await options.store.read(taskId);
  if (task === undefined)
    throw new LpmosError({ code: 'not_found', message: `There is no task ${taskId} here` });
  if (readMacAddress(fields.mac_address) !== task.metadata.target_mac) {
    throw invalidField('mac_address', `is not the machine of task ${taskId}`);
  }
  await commitDirectly(options, task, {
    name: 'host_up',
    detail: printable(fields.message ?? '', LONGEST_MESSAGE),
  });
  return { status: 'received' };
}

async function commitDirectly(options: HttpDoorOptions, task: TaskRecord, event: TaskEvent): Promise<void> {
  const applied = applyEvent(task, event, {
    nowMs: options.clock.nowMs(),
    actor: `host:${task.metadata.target_mac}`,
  });
  if (applied.kind === 'refused') throw applied.error;
  if (applied.kind === 'noop') return;
  const fence = options.fence();
  if (fence === undefined) throw unavailable('this daemon does not lead its region now');
  const outcome = await options.store.commit(task, applied.change, fence);
  if (outcome.kind === 'refused') throw outcome.error;
  if (outcome.kind === 'unknown') throw unavailable('whether it was written is unknown');
}

interface BearerSpeaker {
  readonly taskId: TaskId;
  readonly sessionId: string;
  readonly task: TaskRecord;
}

async function admitBearer(
  options: HttpDoorOptions,
  claim: { readonly ticket: string; readonly taskId: string; readonly mac: string },
): Promise<BearerSpeaker> {
  const { ticket, taskId, mac } = claim;
  const admission = await admit(options, {
    taskId,
    macAddress: mac,
    proof: { ticket },
    nonce: unaryNonce(ticket, options),
  });
  if ('problem' in admission) throw new LpmosError({ code: admission.code, message: admission.problem });
  return { taskId: admission.task.metadata.id, sessionId: admission.sessionId, task: admission.task };
}

/** The generated reader of the wire type knows the camelCase names. */
function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camelCased(item),
    ]),
  );
}

function unavailable(message: string): LpmosError {
  return new LpmosError({ code: 'unavailable', message });
}
