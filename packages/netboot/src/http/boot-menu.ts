/**
 * The answer to a script request. Always a script that a machine can run, always status 200: firmware shows no error
 * body, and a 404 for a machine we know would send it to the next entry of its boot order.
 * The decider is asked once for each request, and what it said is what the script and the boot event show.
 * In a boot storm a machine that would load the agent is told to wait instead of starting one more slow download.
 */
import type { BootDecision, MacAddress } from '@lpmos/core';
import type { BootDecider } from '../boot-decider';
import type { BootEvent } from '../boot-event';
import { claimProblem } from '../peer-claim';
import { problemScript } from '../ipxe/boot-scripts';
import { renderIpxeScript } from '../ipxe/script';
import { readBootMachine, type BootMachine } from './boot-routes';

export interface BootScriptRequest extends BootMachine {
  readonly decision: BootDecision;
}

/** Renders the script of a machine; the regional daemon knows the URLs, the ramdisk and the site. */
export interface BootScripts {
  bootScript(request: BootScriptRequest): string;
  /** Why this machine cannot run the agent, or undefined when it can. */
  unfitForAgent?(machine: BootMachine): string | undefined;
}

export interface MenuQuestion {
  readonly query: ReadonlyMap<string, string>;
  readonly decider: BootDecider;
  readonly scripts: BootScripts;
  /** Whose lease the asking address is, as far as that is known. */
  readonly holder?: MacAddress | undefined;
  readonly activeDownloads: number;
  /** From this many downloads on, agents wait. */
  readonly busyDownloads: number;
}

export interface MenuAnswer {
  readonly script: string;
  readonly mac?: MacAddress;
  readonly decision?: BootDecision;
  readonly outcome: Extract<BootEvent['outcome'], 'answered' | 'refused' | 'failed'>;
  readonly reason: string;
}

/** The script itself spreads this with jitter. */
const BUSY_RETRY_SECONDS = 10;

export function answerMenu(question: MenuQuestion): MenuAnswer {
  const read = readBootMachine(question.query);
  if ('problem' in read) {
    return {
      script: renderIpxeScript(problemScript(read.problem)),
      outcome: 'refused',
      reason: read.problem,
    };
  }
  const { machine } = read;
  const foreign = claimProblem(machine.mac, question.holder);
  if (foreign !== undefined) {
    const script = renderIpxeScript(problemScript(foreign));
    return {
      script,
      ...(question.holder === undefined ? {} : { mac: question.holder }),
      outcome: 'refused',
      reason: foreign,
    };
  }
  try {
    const decision = holdBack(question.decider.decide(machine.mac), question);
    const unfit = decision.kind === 'agent' ? question.scripts.unfitForAgent?.(machine) : undefined;
    if (unfit !== undefined) {
      const script = renderIpxeScript(problemScript(unfit));
      return { script, mac: machine.mac, decision, outcome: 'refused', reason: unfit };
    }
    const script = question.scripts.bootScript({ ...machine, decision });
    return { script, mac: machine.mac, decision, outcome: 'answered', reason: reasonOf(machine, decision) };
  } catch (error) {
    // A value that no script may carry, or a fault of ours: the machine still gets something it can run.
    const reason = `no script could be made: ${error instanceof Error ? error.message : 'unknown fault'}`;
    const script = renderIpxeScript(problemScript(reason));
    return { script, mac: machine.mac, outcome: 'failed', reason };
  }
}

/** The address in the URL decides; that another card runs the script is worth a word in the history. */
function reasonOf({ mac, nic }: BootMachine, { reason }: BootDecision): string {
  return nic === undefined || nic === mac ? reason : `${reason}; iPXE runs on card ${nic} of the machine`;
}

/** What a machine is told while many download: whoever would load the agent asks again. */
export function holdBack(
  decision: BootDecision,
  { activeDownloads, busyDownloads }: Pick<MenuQuestion, 'activeDownloads' | 'busyDownloads'>,
): BootDecision {
  if (decision.kind !== 'agent' || activeDownloads < busyDownloads) return decision;
  return {
    kind: 'wait',
    ...(decision.exitMethod === undefined ? {} : { exitMethod: decision.exitMethod }),
    retryAfterSeconds: BUSY_RETRY_SECONDS,
    reason: `${activeDownloads} downloads run already; then ${decision.reason}`,
  };
}
