/**
 * What the boot of the agent needs whoever loads it, iPXE (agent-scripts.ts) or GRUB (grub-answers.ts): the kernel's arguments with a fresh
 * ticket, and how often a machine asks again. One answerer, so that the two chains cannot differ in what they hand out.
 * Minting a ticket is not using it: a machine that asks ten times holds ten tickets of which one opens a session.
 */
import { randomUUID } from 'node:crypto';
import type { BootDecision, Clock, MacAddress, TaskId } from '@lpmos/core';
import { agentArguments } from '@lpmos/netboot';
import type { KernelArgument } from '@lpmos/netboot';
import type { RegionSecrets } from './secrets';
import { mintTicket, TICKET_SECONDS } from './tokens';

export interface AgentBootOptions {
  readonly regionId: string;
  readonly secrets: RegionSecrets;
  readonly clock: Clock;
  /** Where the agent dials: `10.77.0.1:8082`. */
  readonly agentEndpoint: () => string;
  readonly kernelArguments: string;
}

/** A machine that cannot load its files asks again, and after this many failures boots its disk. */
export const AGENT_RETRY = { seconds: 15, attempts: 20 };

/**
 * What a site may have its kernel told: words that iPXE's and GRUB's scripts both can carry, short enough for what is told beside them. Read
 * at the start, because a word that no script can carry would send every machine to its disk.
 */
export const KERNEL_ARGUMENTS = {
  pattern:
    /^(?=.{1,1500}$)(?!.*&&)[\w.\-/:,@%+~[\]?&!*()^][\w.\-/:,=@%+~[\]?&!*()^]{0,999}(?: [\w.\-/:,@%+~[\]?&!*()^][\w.\-/:,=@%+~[\]?&!*()^]{0,999})*$/,
  describe:
    'space-separated kernel arguments, at most 1500 characters: letters, digits and any of . _ - / : , = @ % + ~ [ ] ? & ! * ( ) ^, but not &&',
};

export function agentTicket({ secrets, clock }: AgentBootOptions, taskId: TaskId): string {
  return mintTicket(secrets, {
    taskId,
    expiresAtSeconds: Math.floor(clock.nowMs() / 1000) + TICKET_SECONDS,
    // Node keeps random bytes for many of them in stock, unlike for `randomBytes`: 4 µs less for each script.
    nonce: randomUUID().replaceAll('-', ''),
  });
}

/** None when no agent boots, and then no ticket is minted either. */
export function agentKernelArguments(
  options: AgentBootOptions,
  {
    mac,
    decision,
    ticket,
  }: { readonly mac: MacAddress; readonly decision: BootDecision; readonly ticket?: string },
): KernelArgument[] {
  if (decision.kind !== 'agent') return [];
  return agentArguments({
    fixed: options.kernelArguments,
    region: options.regionId,
    agentEndpoint: options.agentEndpoint(),
    taskId: decision.taskId,
    mac,
    ticket: ticket ?? agentTicket(options, decision.taskId),
  });
}
