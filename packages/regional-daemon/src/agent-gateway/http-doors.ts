/**
 * What the seed's two POSTs mean. A tiny agent shows its ticket with every request; an installed host shows its check-in token once.
 * An answer of 200 says that the statement is durable in etcd, so each door waits for the planner to settle it.
 */
import { applyEvent, isTaskId, LpmosError, readMacAddress } from '@lpmos/core';
import type { FieldProblem, TaskEvent, TaskId, TaskRecord, TaskStore } from '@lpmos/core';
import type { Fence } from '@lpmos/core';
import { WireHardwareReport } from '@lpmos/proto';
import { sameToken } from '../boot/secrets';
import { checkInToken } from '../boot/tokens';
import { admit } from './admission';
import type { AdmissionOptions } from './admission';
import type { AgentLink, Agents } from './agents';
import { readHardware, takeMessage } from './conversation';
import type { ConversationOptions } from './conversation';
import { unaryNonce } from './grpc-service';

export interface HttpDoorOptions extends AdmissionOptions, ConversationOptions {
  readonly agents: Agents;
  readonly store: TaskStore;
  readonly fence: () => Fence | undefined;
  readonly actor: string;
}

export async function answerReport(
  options: HttpDoorOptions,
  token: string,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const fields = readFields(body, ['mac_address', 'hardware'], ['task_id']);
  const ticketTask = token.split('.')[0] ?? '';
  const hardware = readHardware(
    WireHardwareReport.fromJSON(
      camelCased({ ...(fields['hardware'] as object), mac_address: fields['mac_address'] }),
    ),
    options.sha256,
  );
  if ('problem' in hardware) throw new LpmosError({ code: 'invalid_argument', message: hardware.problem });
  const speaker = admitBearer(
    options,
    token,
    String(fields['task_id'] ?? ticketTask),
    String(fields['mac_address']),
  );
  const seq = nextSeq(options);
  await settled(options, speaker, seq, signal, () =>
    options.agents.hear(speaker.taskId, speaker.sessionId, seq, { report: { seq, hardware } }),
  );
  return { status: 'received', task_id: speaker.taskId, next_action: 'wait_for_approval' };
}

export async function answerStatus(
  options: HttpDoorOptions,
  token: string,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const fields = readFields(body, ['mac_address', 'task_id', 'status'], ['progress', 'message']);
  const status = String(fields['status']);
  const message = String(fields['message'] ?? '');
  if (status === 'host_up') return checkIn(options, token, fields, message);
  const speaker = admitBearer(options, token, String(fields['task_id']), String(fields['mac_address']));
  const attempt = speaker.task.run.attempt;
  const seq = nextSeq(options);
  if (status === 'installing') {
    const percent = Number(fields['progress'] ?? 0);
    const progress = { attempt, phase: 'installing', percent, message, bytesDone: '0', bytesTotal: '0' };
    takeMessage(options, speaker, { seq, message: { $case: 'progress', value: progress } });
    return { status: 'received' };
  }
  if (status !== 'completed' && status !== 'failed') {
    throw invalid('status', 'must be installing, completed, failed or host_up');
  }
  const success = status === 'completed';
  const result = { attempt, success, failureClass: 'agent_fault', message, diskTouched: true };
  await settled(options, speaker, seq, signal, () => {
    takeMessage(options, speaker, { seq, message: { $case: 'result', value: result } });
  });
  return { status: 'received' };
}

/** The installed host says that it runs from its disk. It moves nothing but the timeline; said twice, it counts once. */
async function checkIn(
  options: HttpDoorOptions,
  token: string,
  fields: Record<string, unknown>,
  message: string,
): Promise<unknown> {
  const taskId = String(fields['task_id']);
  if (!isTaskId(taskId)) throw invalid('task_id', 'is no task id');
  if (!sameToken(token, checkInToken(options.secrets, taskId))) {
    throw new LpmosError({
      code: 'unauthenticated',
      message: 'The check-in token is not valid for this task',
    });
  }
  const task = await options.store.read(taskId);
  if (task === undefined)
    throw new LpmosError({ code: 'not_found', message: `There is no task ${taskId} here` });
  if (readMacAddress(String(fields['mac_address'])) !== task.metadata.target_mac) {
    throw invalid('mac_address', `is not the machine of task ${taskId}`);
  }
  await commitDirectly(options, task, { name: 'host_up', detail: printable(message) });
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

function admitBearer(options: HttpDoorOptions, ticket: string, taskId: string, mac: string): BearerSpeaker {
  const admission = admit(options, {
    taskId,
    macAddress: mac,
    proof: { ticket },
    nonce: unaryNonce(ticket, options),
  });
  if ('problem' in admission) throw new LpmosError({ code: admission.code, message: admission.problem });
  return { taskId: admission.task.metadata.id, sessionId: admission.sessionId, task: admission.task };
}

/** Says something through a short-lived link and waits until the planner acknowledged it. */
async function settled(
  options: HttpDoorOptions,
  speaker: BearerSpeaker,
  seq: string,
  signal: AbortSignal,
  say: () => void,
): Promise<void> {
  let link: AgentLink | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(unavailable('the statement is not durable yet')), {
        once: true,
      });
      link = {
        acknowledge: (acknowledged) => {
          if (acknowledged === seq) resolve();
        },
        order: () => undefined,
        close: (reason) => reject(new LpmosError({ code: 'conflict', message: reason })),
      };
      options.agents.attach(speaker.taskId, speaker.sessionId, link);
      say();
    });
  } finally {
    if (link !== undefined) options.agents.detach(speaker.taskId, link);
  }
}

/** Requests carry no sequence; microseconds rise across restarts of the daemon. */
let lastSeq = 0n;
function nextSeq(options: HttpDoorOptions): string {
  const now = BigInt(Math.round(options.clock.nowMs() * 1000));
  lastSeq = now > lastSeq ? now : lastSeq + 1n;
  return lastSeq.toString();
}

function readFields(
  body: unknown,
  required: readonly string[],
  optional: readonly string[],
): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new LpmosError({ code: 'invalid_argument', message: 'The body must be a JSON object' });
  }
  const known = [...required, ...optional];
  const problems: FieldProblem[] = [
    ...required
      .filter((name) => !Object.hasOwn(body, name))
      .map((path) => ({ path, problem: 'is required' })),
    ...Object.keys(body)
      .filter((name) => !known.includes(name))
      .map((path) => ({ path, problem: `is not known; known are ${known.join(', ')}` })),
  ];
  if (problems.length === 0) return body as Record<string, unknown>;
  throw new LpmosError({
    code: 'invalid_argument',
    message: 'The request has invalid fields',
    fields: problems,
  });
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

function printable(text: string): string {
  return text.slice(0, 500).replace(/[^\x20-\x7e]/g, '?');
}

function invalid(path: string, problem: string): LpmosError {
  return new LpmosError({
    code: 'invalid_argument',
    message: `${path} ${problem}`,
    fields: [{ path, problem }],
  });
}

function unavailable(message: string): LpmosError {
  return new LpmosError({ code: 'unavailable', message });
}
