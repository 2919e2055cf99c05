/**
 * From a boot decision to the script that a machine runs: pure. What to boot is decided in core; how an answer travels
 * is http/boot-routes.ts. Every script tells the person at the console who the machine is, what it boots and why, and has
 * a fail path: wait, ask again, at most N times, then the local disk.
 * The attempts are counted in an iPXE setting, which outlives a chain but not a power cycle.
 * Seconds are spread by `jitter` (0 to 1, chosen by the caller for each request) so that a rack does not retry in step.
 */
import { DEFAULT_EXIT, exitWay } from '@lpmos/core';
import type { BootDecision, DiskExit, ExitWay } from '@lpmos/core';
import type { IpxeScript, IpxeStep, KernelArgument } from './script';

export interface RetryPolicy {
  /** This very script's URL, absolute, with the machine's own query. */
  readonly url: string;
  /** The same script on the region's other daemon, which is asked when this one does not answer. */
  readonly partnerUrl?: string;
  readonly seconds: number;
  /** After so many failures the machine boots its disk. */
  readonly attempts: number;
  /** 0 to 1, fresh for each request. */
  readonly jitter: number;
}

/** What the boot of the agent needs. */
export interface AgentBoot {
  readonly kernelUrl: string;
  readonly initrdUrls: readonly string[];
  readonly kernelArguments: readonly KernelArgument[];
}

export interface BootScriptFacts {
  /** How the console names the machine and the region, for instance `52:54:00:12:34:56` and `lab`. */
  readonly machine: string;
  readonly region: string;
  readonly retry: RetryPolicy;
  readonly agent: AgentBoot;
}

const ATTEMPTS = 'lpmos-attempts:int32';
/** A technician reads the lines before the firmware wipes the screen. */
const READING_SECONDS = 3;

export function bootScript(decision: BootDecision, facts: BootScriptFacts): IpxeScript {
  const head = heading(facts, decision.reason);
  const exit = exitWay('exitMethod' in decision ? decision.exitMethod : undefined);
  switch (decision.kind) {
    case 'agent': {
      const what =
        decision.purpose === 'install' ? 'the boot agent, to install' : 'the boot agent, to report';
      return [...head, say(`boots: ${what}`), ...agentSteps(facts.agent), ...failPath(facts.retry, exit)];
    }
    case 'local-disk':
      return [...head, say('boots: the local disk'), ...diskSteps(exit)];
    case 'silent':
      return [
        ...head,
        say('boots: the local disk, because LPMOS does not manage this machine'),
        ...diskSteps(exit),
      ];
    case 'wait':
      return [
        ...head,
        ...waitSteps(
          decision.retryAfterSeconds,
          decision.elsewhere === true ? turned(facts.retry) : facts.retry,
        ),
        ...failPath(facts.retry, exit),
      ];
  }
}

/** For a request that names no machine, and for an answer that could not be made: says so and leaves for the disk. */
export function problemScript(problem: string): IpxeScript {
  return [
    say('LPMOS cannot say what this machine boots:'),
    say(problem),
    say('boots: the local disk'),
    ...diskSteps(DEFAULT_EXIT),
  ];
}

/** 25 % to 175 % of the asked time: a standard deviation of 43 % keeps retries of a rack apart. */
export function jittered(seconds: number, jitter: number): number {
  return Math.max(1, Math.round(seconds * (0.25 + 1.5 * Math.min(Math.max(jitter, 0), 1))));
}

function say(...text: string[]): IpxeStep {
  return { do: 'echo', text };
}

function heading(facts: BootScriptFacts, reason: string): IpxeStep[] {
  return [say(), say(`LPMOS region ${facts.region}, machine ${facts.machine}`), say(`why: ${reason}`)];
}

/** All arguments stand on the kernel line: `imgargs` would replace them, `initrd=` included. */
function agentSteps(agent: AgentBoot): IpxeStep[] {
  const initrds = agent.initrdUrls.map((url, index) => ({ name: `initrd${index}.img`, url }));
  // UEFI kernels load the initrds that their command line names, in that order; BIOS ones ignore the words.
  const named = initrds.map(({ name }): KernelArgument => ['initrd', name]);
  return [
    { do: 'isset', setting: ATTEMPTS, andGoto: 'load', or: 'ignore' },
    { do: 'set', setting: ATTEMPTS, value: '0', or: 'ignore' },
    { do: 'label', name: 'load' },
    { do: 'imgfree', or: 'ignore' },
    { do: 'kernel', url: agent.kernelUrl, arguments: [...named, ...agent.kernelArguments], orGoto: 'fail' },
    ...initrds.map(({ name, url }): IpxeStep => ({ do: 'initrd', name, url, orGoto: 'fail' })),
    { do: 'boot', orGoto: 'fail' },
  ];
}

/** Told to wait, nothing has failed: the count starts anew, and the region decides again at each ask. */
function waitSteps(seconds: number, retry: RetryPolicy): IpxeStep[] {
  const wait = jittered(seconds, retry.jitter);
  return [
    { do: 'set', setting: ATTEMPTS, value: '0', or: 'ignore' },
    say(`asks again in ${wait} seconds`),
    { do: 'sleep', seconds: wait, or: 'ignore' },
    { do: 'chain', url: retry.url, orGoto: 'fail' },
  ];
}

function failPath(retry: RetryPolicy, exit: ExitWay): IpxeStep[] {
  const wait = jittered(retry.seconds, retry.jitter);
  return [
    { do: 'label', name: 'fail' },
    { do: 'inc', setting: ATTEMPTS, or: 'ignore' },
    { do: 'iseq', setting: ATTEMPTS, value: String(retry.attempts), andGoto: 'give_up', or: 'ignore' },
    {
      do: 'echo',
      text: [
        'that failed',
        { setting: ATTEMPTS },
        `times of ${retry.attempts}: asks again in ${wait} seconds`,
      ],
    },
    { do: 'sleep', seconds: wait, or: 'ignore' },
    { do: 'imgfree', or: 'ignore' },
    ...askAgain(retry),
    { do: 'label', name: 'give_up' },
    say(`failed ${retry.attempts} times. boots: the local disk`),
    { do: 'clear', setting: ATTEMPTS, or: 'ignore' },
    ...diskSteps(exit),
  ];
}

/** The other daemon first; without one there is nobody else to ask. */
function turned(retry: RetryPolicy): RetryPolicy {
  return retry.partnerUrl === undefined ? retry : { ...retry, url: retry.partnerUrl, partnerUrl: retry.url };
}

function askAgain({ url, partnerUrl }: RetryPolicy): IpxeStep[] {
  if (partnerUrl === undefined) return [{ do: 'chain', url, orGoto: 'fail' }];
  return [
    { do: 'chain', url, orGoto: 'partner' },
    { do: 'label', name: 'partner' },
    say('no answer there: asks the other daemon of the region'),
    { do: 'chain', url: partnerUrl, orGoto: 'fail' },
  ];
}

/** The way out of a firmware is data of core (boot/exit-method.ts); a disk that cannot be booted ends in the same exit. */
function diskSteps(exit: ExitWay): IpxeStep[] {
  return [
    { do: 'imgfree', or: 'ignore' },
    { do: 'sleep', seconds: READING_SECONDS, or: 'ignore' },
    { do: 'iseq', setting: 'platform', value: 'efi', andGoto: 'efi_disk', or: 'ignore' },
    ...leave(exit.bios),
    { do: 'label', name: 'efi_disk' },
    ...leave(exit.efi),
  ];
}

function leave({ drive, status }: DiskExit): IpxeStep[] {
  const disk: IpxeStep[] = drive === undefined ? [] : [{ do: 'sanboot', drive, or: 'ignore' }];
  return [...disk, { do: 'exit', status }];
}
