/**
 * The boot agent of a simulated machine: reports the hardware, waits, obeys orders (install, cancel, reboot) and keeps its result until
 * the region has it. A separate implementation from packages/boot-agent on purpose: two readings of one protocol find its gaps.
 * The session over broken links is agent-session.ts, what an order does agent-orders.ts, an attempt to install installer.ts.
 */
import type { Clock, Disk, HardwareReport } from '@lpmos/core';
import { sleep } from '@lpmos/runtime';
import { createAgentSession } from './agent-session';
import type { AgentSession } from './agent-session';
import { obey, reportHardware, whatIsSettled } from './agent-orders';
import type { AgentWork } from './agent-orders';
import type { MachinePoint } from './machine-points';
import type { AgentArguments } from './kernel-arguments';
import type { SiteFiles } from './site-files';
import type { VirtualDisk } from './virtual-disk';

export interface AgentOptions {
  readonly arguments: AgentArguments;
  readonly site: SiteFiles;
  readonly clientAddress: string;
  /** Fresh every time: hardware may have changed since the report. */
  readonly collectHardware: () => HardwareReport;
  readonly diskOf: (disk: Disk) => VirtualDisk | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeScale: number;
  readonly signal: AbortSignal;
  readonly at: (point: MachinePoint) => Promise<void>;
  readonly tell: (detail: string, data?: Readonly<Record<string, unknown>>) => void;
  /** Hands out the means to cut the link from outside. */
  readonly onSession: (session: Pick<AgentSession, 'breakLink'>) => void;
}

/** An agent never ends but by a reboot. */
export interface AgentEnd {
  readonly kind: 'reboot';
  readonly reason: string;
}

const AGENT_VERSION = 'simulator-0.1.0';
/** Before another try with a fresh ticket, so that a machine whose task is gone does not boot in a circle. */
const REFUSED_PAUSE_MS = 15_000;
/** What an agent does when power goes ends within this; longer waits only a hook, which may wait for us. */
const STOP_MS = 2_000;

/** @throws the signal's reason when power goes. */
export async function runAgent(options: AgentOptions): Promise<AgentEnd> {
  options.tell('starts', { task_id: options.arguments.taskId });
  await options.at('agent-started');
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const ended = createEnding(options.signal);
  const work: AgentWork = { options: { ...options, signal }, session: undefined, ...ended };
  const session = createAgentSession({
    ...options.arguments,
    agentVersion: AGENT_VERSION,
    ca: options.site.ca,
    serverName: options.site.tlsServerName,
    clock: options.clock,
    random: options.random,
    timeScale: options.timeScale,
    tell: options.tell,
    signal,
    isBusy: () => work.running !== undefined && work.running.resultSeq === undefined,
    onAcknowledged: () => whatIsSettled(work),
    onOrder: (order) => obey(work, order),
  });
  work.session = session;
  options.onSession(session);
  const dialling = session.run();
  try {
    reportHardware(work);
    return await Promise.race([ended.promise, refusal(options, dialling, signal)]);
  } finally {
    stop.abort(new Error('the agent ended'));
    const waited = new AbortController();
    const rest = Promise.allSettled([dialling, work.installing]).then(() => waited.abort());
    await Promise.race([rest, sleep(STOP_MS, waited.signal)]);
  }
}

async function refusal(
  options: AgentOptions,
  dialling: ReturnType<AgentSession['run']>,
  signal: AbortSignal,
): Promise<AgentEnd> {
  const end = await dialling;
  if (end === undefined) return new Promise(() => undefined);
  options.tell(`the region refuses this session: ${end.refused}`);
  await sleep(REFUSED_PAUSE_MS * options.timeScale, signal);
  return { kind: 'reboot', reason: 'a fresh ticket is needed' };
}

function createEnding(signal: AbortSignal) {
  let finish: (end: AgentEnd) => void = () => undefined;
  let fail: (thrown: unknown) => void = () => undefined;
  const promise = new Promise<AgentEnd>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  signal.addEventListener('abort', () => fail(signal.reason), { once: true });
  if (signal.aborted) fail(signal.reason);
  return { promise, finish, fail };
}
