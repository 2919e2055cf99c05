/**
 * The boot script of one machine for iPXE: netboot's script for the decision, filled with this region's URLs. What the agent's kernel is told
 * is agent-boot.ts; what GRUB is given is grub-answers.ts.
 */
import { bootScript, MAC_PLACEHOLDER, machineScriptUrl, renderIpxeScript } from '@lpmos/netboot';
import type { AgentBoot, BootScripts } from '@lpmos/netboot';
import { AGENT_RETRY, agentKernelArguments, agentTicket } from './agent-boot';
import type { AgentBootOptions } from './agent-boot';
import { AGENT_FOLDER, INITRAMFS_FILE, KERNEL_FILE, SITE_FILE } from './boot-files';
import { createScriptCache } from './script-cache';
import type { ScriptGiven, ScriptSubject } from './script-cache';

export interface AgentScriptOptions extends AgentBootOptions {
  /** `http://10.77.0.1`, without a slash at the end. */
  readonly baseUrl: () => string;
  /** The same on the region's other daemon. */
  readonly partnerUrl: () => string | undefined;
}

export function createAgentScripts(options: AgentScriptOptions): BootScripts {
  const scripts = createScriptCache({
    render: (subject, given) => renderScript(options, subject, given),
    ticketOf: (taskId) => agentTicket(options, taskId),
    settings: () => `${options.baseUrl()} ${options.partnerUrl() ?? ''} ${options.agentEndpoint()}`,
  });
  return {
    bootScript: (request) => scripts.script(request),
    unfitForAgent: ({ architecture }) =>
      architecture === undefined || RAMDISK_RUNS_ON.includes(architecture)
        ? undefined
        : `the boot agent of this region is built for x86-64, and this machine is ${architecture}`,
  };
}

/** The ramdisk is amd64; an iPXE of BIOS calls itself i386 on every machine. */
const RAMDISK_RUNS_ON: readonly string[] = ['x86_64', 'i386'];

function renderScript(
  options: AgentScriptOptions,
  { mac, uuid, platform, decision }: ScriptSubject,
  { ticket, jitter }: ScriptGiven,
): string {
  const baseUrl = options.baseUrl();
  const machine = {
    ...{ mac },
    ...(uuid === undefined ? {} : { uuid }),
    ...(platform === undefined ? {} : { platform }),
  };
  const partnerUrl = options.partnerUrl();
  const script = bootScript(decision, {
    machine: mac,
    region: options.regionId,
    retry: {
      ...{ ...AGENT_RETRY, url: machineScriptUrl(baseUrl, machine), jitter },
      ...(partnerUrl === undefined ? {} : { partnerUrl: machineScriptUrl(partnerUrl, machine) }),
    },
    agent: {
      ...agentFileUrls(baseUrl),
      kernelArguments: agentKernelArguments(options, { mac, decision, ticket }),
    },
  });
  return renderIpxeScript(script);
}

/** Where the files of the agent are. */
export function agentFileUrls(baseUrl: string): Pick<AgentBoot, 'kernelUrl' | 'initrdUrls'> {
  const assets = `${baseUrl}/boot/assets/${AGENT_FOLDER}`;
  return {
    kernelUrl: `${assets}/${KERNEL_FILE}`,
    initrdUrls: [`${assets}/${INITRAMFS_FILE}`, `${assets}/${SITE_FILE}`],
  };
}

/**
 * The URL in option 67. Who the machine is, DHCP says: it answers the card that asks, whichever of several that is. What iPXE's own variables
 * say is a hint; `netX` is the card that it opened last.
 */
export function advertisedScriptUrl(baseUrl: string): string {
  const hints =
    'uuid=${uuid}&platform=${platform}&arch=${buildarch}&serial=${serial:uristring}&nic=${netX/mac}';
  return `${baseUrl}/boot/menu.ipxe?mac=${MAC_PLACEHOLDER}&${hints}`;
}
