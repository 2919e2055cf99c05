/**
 * What an agent does on each order and each acknowledgement: one installation at a time, no attempt twice, an outcome said until it is
 * stored, a reboot only after that. The link is agent-session.ts; starting and ending an agent is agent.ts.
 */
import { hardwareToWire } from '@lpmos/proto';
import type { Install } from '@lpmos/proto';
import { sleep } from '@lpmos/runtime';
import type { AgentEnd, AgentOptions } from './agent';
import type { AgentSession, Order } from './agent-session';
import { install } from './installer';
import type { InstallOutcome, InstallProgress } from './installer';
import type { MachinePoint } from './machine-points';
import type { VirtualDisk } from './virtual-disk';

export interface AgentWork {
  readonly options: AgentOptions;
  session: AgentSession | undefined;
  readonly finish: (end: AgentEnd) => void;
  /** A hook that throws, or the power: ends the agent. */
  readonly fail: (thrown: unknown) => void;
  opened?: boolean;
  /** Number of the newest hardware report that is not known to be stored. */
  hardwareSeq?: number;
  running?: Running;
  /** Settles when the running attempt has let go of the disk. */
  installing?: Promise<void>;
}

/** The running or last attempt. */
interface Running {
  readonly attempt: number;
  cancellation?: string;
  /** Number of the message that tells its end. */
  resultSeq?: number;
  installed?: VirtualDisk;
  settled?: true;
  rebootAfter?: string;
}

/** A region that stored a success orders a reboot; an agent that hears nothing goes by itself, as real ones do. */
const REBOOT_GRACE_MS = 2_000;

export function reportHardware(work: AgentWork): void {
  const report = work.options.collectHardware();
  const seq = work.session?.say({ $case: 'hardware', value: hardwareToWire(report) });
  if (seq !== undefined) work.hardwareSeq = seq;
  work.options.tell('reports its hardware', { disks: report.disks.map((disk) => disk.serial) });
  pass(work, 'hardware-sent');
}

export function obey(work: AgentWork, order: Order): void {
  const { tell } = work.options;
  switch (order.$case) {
    case 'welcome':
      if (work.opened !== true) pass(work, 'session-opened');
      work.opened = true;
      return;
    case 'wait':
      tell(`waits: ${order.value.reason}`);
      return;
    case 'install':
      /** The region repeats an order after a broken link. */
      if (work.running?.attempt === order.value.attempt) return;
      tell(`ordered to install, attempt ${order.value.attempt}`);
      work.installing = runInstall(work, order.value).catch(work.fail);
      return;
    case 'cancel':
      tell(`ordered to cancel: ${order.value.reason}`);
      cancel(work, order.value.reason);
      return;
    case 'reboot':
      tell(`ordered to reboot: ${order.value.reason}`);
      if (work.running !== undefined && work.running.resultSeq === undefined) {
        work.running.rebootAfter = order.value.reason;
      } else reboot(work, order.value.reason);
  }
}

/** Called after every acknowledgement: acts on what has become durable in the region since the last call. */
export function whatIsSettled(work: AgentWork): void {
  const { session, running } = work;
  if (session === undefined) return;
  if (work.hardwareSeq !== undefined && !session.isPending(work.hardwareSeq)) {
    delete work.hardwareSeq;
    work.options.tell('the region has the hardware report');
    pass(work, 'hardware-acknowledged');
  }
  if (running?.resultSeq === undefined || running.settled === true || session.isPending(running.resultSeq)) {
    return;
  }
  running.settled = true;
  running.installed?.settle(work.options.arguments.taskId);
  afterResult(work, running).catch(work.fail);
}

async function afterResult(work: AgentWork, running: Running): Promise<void> {
  const { options } = work;
  await options.at('result-acknowledged');
  if (running.rebootAfter !== undefined) reboot(work, running.rebootAfter);
  if (running.installed === undefined) return;
  await sleep(REBOOT_GRACE_MS * options.timeScale, options.signal);
  reboot(work, 'the region has the result');
}

function cancel(work: AgentWork, reason: string): void {
  if (work.running !== undefined && work.running.resultSeq === undefined) work.running.cancellation = reason;
  else work.session?.say({ $case: 'cancelObeyed', value: { message: reason, diskTouched: false } });
}

async function runInstall(work: AgentWork, order: Install): Promise<void> {
  const { options, session } = work;
  if (session === undefined) return;
  const running: Running = { attempt: order.attempt };
  work.running = running;
  await options.at('order-received');
  const outcome = await install({
    ...options,
    order,
    taskId: options.arguments.taskId,
    mac: options.arguments.mac,
    nowMs: session.nowMs,
    cancellation: () => running.cancellation,
    onProgress: (progress) => sayProgress(work, order.attempt, progress),
  });
  if (outcome.kind === 'success') running.installed = outcome.disk;
  running.resultSeq = sayOutcome(session, order.attempt, outcome);
  options.tell(`attempt ${order.attempt} ends: ${outcome.kind}: ${outcome.message}`);
  /** The approver needs to see what is there now. */
  if (outcome.kind === 'failure' && outcome.failureClass === 'hardware_changed') reportHardware(work);
  await options.at('result-sent');
}

function sayProgress(work: AgentWork, attempt: number, progress: InstallProgress): void {
  const { phase, percent, message, bytesDone, bytesTotal } = progress;
  work.options.tell(`${phase} ${percent} %`);
  work.session?.say({
    $case: 'progress',
    value: {
      attempt,
      phase,
      percent,
      message,
      bytesDone: String(bytesDone),
      bytesTotal: String(bytesTotal),
    },
  });
}

function sayOutcome(session: AgentSession, attempt: number, outcome: InstallOutcome): number {
  const { message } = outcome;
  if (outcome.kind === 'cancelled') {
    return session.say({ $case: 'cancelObeyed', value: { message, diskTouched: outcome.diskTouched } });
  }
  const end =
    outcome.kind === 'success'
      ? { success: true, failureClass: '', diskTouched: true }
      : { success: false, failureClass: outcome.failureClass, diskTouched: outcome.diskTouched };
  return session.say({ $case: 'result', value: { attempt, message, ...end } });
}

function reboot(work: AgentWork, reason: string): void {
  work.options.at('reboot-ordered').then(() => work.finish({ kind: 'reboot', reason }), work.fail);
}

/** Points may wait, or throw because power was cut; either way the agent goes on or ends, never both. */
function pass(work: AgentWork, point: MachinePoint): void {
  work.options.at(point).catch(work.fail);
}
