/**
 * The one answer to "what does this machine boot now, and why". DHCP, TFTP, iPXE and HTTP all ask here and so cannot disagree.
 * Total and pure: it answers from a snapshot, never throws and never says `install` without a live grant.
 * "Cannot know" (no view of the region yet) is an answer of its own and never looks like "unknown machine".
 */
import { assertNever } from '../errors';
import type { TaskId } from '../ids';
import { isTerminal } from '../task/status';
import type { TaskStatus } from '../task/status';
import type { ExitMethod } from './exit-method';

/** What the region knows of the active or last task of a machine. */
export interface BootTask {
  readonly id: TaskId;
  readonly status: TaskStatus;
  readonly attempt: number;
  /** Present once approved; `live` means unexpired and with budget left. */
  readonly grant?: { readonly live: boolean };
  /** How this machine leaves for its disk, where the default of its firmware is wrong. */
  readonly exitMethod?: ExitMethod;
}

/** What the region knows of a machine. */
export type BootView =
  | { readonly known: 'no-view' }
  | { readonly known: 'unknown-machine' }
  | {
      readonly known: 'machine';
      readonly task?: BootTask;
      /** The region has two daemons, this one is cut off from the store, and the other one may have moved the task since. */
      readonly isOld?: boolean;
    };

export type BootDecision =
  /** Boot the ramdisk with the boot agent, which reports and, with purpose `install`, will be ordered to write. */
  | {
      readonly kind: 'agent';
      readonly purpose: 'report' | 'install';
      readonly taskId: TaskId;
      readonly reason: string;
      /** For the fail path, which ends at the disk. */
      readonly exitMethod?: ExitMethod;
    }
  | { readonly kind: 'local-disk'; readonly reason: string; readonly exitMethod?: ExitMethod }
  /** Not ours: no answer that could change its boot. */
  | { readonly kind: 'silent'; readonly reason: string }
  /** Ask again: the region cannot know yet. */
  | {
      readonly kind: 'wait';
      readonly retryAfterSeconds: number;
      /** The region's other daemon knows better and is to be asked. */
      readonly elsewhere?: boolean;
      readonly reason: string;
      readonly exitMethod?: ExitMethod;
    };

/** How soon a machine asks again while the region has no view; iPXE's own patience is longer. */
const NO_VIEW_RETRY_SECONDS = 5;

export function decide(view: BootView): BootDecision {
  switch (view.known) {
    case 'no-view':
      return {
        kind: 'wait',
        retryAfterSeconds: NO_VIEW_RETRY_SECONDS,
        reason: 'the region has not read its tasks yet and cannot know what this machine boots',
      };
    case 'unknown-machine':
      return { kind: 'silent', reason: 'no task and no assignment names this machine' };
    case 'machine':
      if (view.task === undefined) {
        return { kind: 'local-disk', reason: 'the machine is known and has no task' };
      }
      return view.isOld === true && !isTerminal(view.task.status)
        ? cannotKnowAlone(view.task)
        : decideForTask(view.task);
    default:
      return assertNever(view, 'boot view');
  }
}

/** A task that had ended has not begun again; one that had not may be over, and its machine then belongs to its disk. */
function cannotKnowAlone({ id, status, exitMethod }: BootTask): BootDecision {
  return {
    kind: 'wait',
    retryAfterSeconds: NO_VIEW_RETRY_SECONDS,
    elsewhere: true,
    reason: `task ${id} was ${status} when this daemon was cut off; the other daemon of the region knows`,
    ...(exitMethod === undefined ? {} : { exitMethod }),
  };
}

function decideForTask(task: BootTask): BootDecision {
  const exit = task.exitMethod === undefined ? {} : { exitMethod: task.exitMethod };
  const report = (reason: string): BootDecision => ({
    kind: 'agent',
    purpose: 'report',
    taskId: task.id,
    reason: `task ${task.id} is ${task.status}: ${reason}`,
    ...exit,
  });
  const disk = (reason: string): BootDecision => ({
    kind: 'local-disk',
    reason: `task ${task.id} is ${task.status}: ${reason}`,
    ...exit,
  });
  switch (task.status) {
    case 'pending':
      return {
        kind: 'wait',
        retryAfterSeconds: NO_VIEW_RETRY_SECONDS,
        reason: `task ${task.id} is pending: the region prepares it`,
        ...exit,
      };
    case 'ready':
    case 'booting':
      return report('the agent is to report the hardware');
    case 'pending_approval':
      return report('the agent reports again and waits for approval');
    case 'approved':
    case 'installing':
      if (task.grant?.live !== true) return report('there is no live grant, so nothing may be written');
      return {
        kind: 'agent',
        purpose: 'install',
        taskId: task.id,
        reason: `task ${task.id} is ${task.status} with a live grant: the agent installs`,
        ...exit,
      };
    case 'completed':
      return disk('the machine is installed');
    case 'failed':
    case 'rejected':
    case 'cancelled':
      return disk('the task ended; the disk is left to the firmware');
    default:
      return assertNever(task.status, 'task status');
  }
}
