/**
 * The script of a boot decision as a region would render it, for iPXE or for GRUB. Pure. No real ticket exists here: a placeholder stands
 * in its place, and waits are in the middle of their jitter.
 */
import type { BootDecision, OfferedBoot } from '@lpmos/core';
import {
  agentArguments,
  bootScript,
  grubMachineScript,
  machineScriptUrl,
  renderGrubScript,
  renderIpxeScript,
} from '@lpmos/netboot';
import type { KernelArgument } from '@lpmos/netboot';
import { platformOf } from './client-table';
import type { BootClient } from './client-table';
import type { ExplainInputs } from './explain-inputs';

export interface ScriptQuestion {
  readonly inputs: ExplainInputs;
  readonly client: BootClient;
  readonly decision: BootDecision;
}

const TICKET_PLACEHOLDER = 'TICKET-OF-THAT-MOMENT';
/** Explanations do not roll dice. */
const MIDDLE_OF_JITTER = 0.5;

/** @returns undefined for an operating system, which runs no script. */
export function ipxeScriptOf(question: ScriptQuestion, boot: OfferedBoot): string | undefined {
  const { inputs, client, decision } = question;
  if (client.architecture === undefined && !client.isIpxe) return undefined;
  const { mac, region_id } = inputs;
  const machine = { mac, platform: platformOf(client) };
  const steps = bootScript(decision, {
    machine: mac,
    region: region_id,
    retry: {
      url: machineScriptUrl(boot.base_url, machine),
      ...(boot.partner_url === undefined ? {} : { partnerUrl: machineScriptUrl(boot.partner_url, machine) }),
      seconds: boot.retry_seconds,
      attempts: boot.retry_attempts,
      jitter: MIDDLE_OF_JITTER,
    },
    agent: {
      kernelUrl: boot.kernel_url,
      initrdUrls: [...boot.initrd_urls],
      kernelArguments: kernelArguments(question, boot),
    },
  });
  return renderIpxeScript(steps);
}

/** The machine's own script, which GRUB's menu asks for. @returns undefined where the region publishes no such chain. */
export function grubScriptOf(question: ScriptQuestion, boot: OfferedBoot): string | undefined {
  if (boot.grub === undefined) return undefined;
  const { mac, region_id } = question.inputs;
  const script = grubMachineScript(question.decision, {
    ...{ machine: mac, region: region_id, jitter: MIDDLE_OF_JITTER },
    agent: { ...boot.grub, kernelArguments: kernelArguments(question, boot) },
  });
  return renderGrubScript(script);
}

function kernelArguments({ inputs, decision }: ScriptQuestion, boot: OfferedBoot): KernelArgument[] {
  if (decision.kind !== 'agent') return [];
  return agentArguments({
    fixed: boot.kernel_arguments,
    region: inputs.region_id,
    agentEndpoint: boot.agent_endpoint,
    taskId: decision.taskId,
    mac: inputs.mac,
    ticket: TICKET_PLACEHOLDER,
  });
}
