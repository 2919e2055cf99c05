/**
 * The boot script of one machine: netboot's script for the decision, filled with this region's URLs, the ramdisk's kernel arguments and a
 * fresh ticket. Minting a ticket is not using it: a machine that asks ten times holds ten tickets of which one opens a session.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '@lpmos/core';
import { macWithHyphens } from '@lpmos/core';
import { bootScript, renderIpxeScript } from '@lpmos/netboot';
import type { BootScriptRequest, BootScripts, KernelArgument } from '@lpmos/netboot';
import { AGENT_FOLDER, INITRAMFS_FILE, KERNEL_FILE, SITE_FILE } from './boot-files';
import type { RegionSecrets } from './secrets';
import { mintTicket, TICKET_SECONDS } from './tokens';

export interface AgentScriptOptions {
  readonly regionId: string;
  readonly secrets: RegionSecrets;
  readonly clock: Clock;
  /** `http://10.77.0.1`, without a slash at the end. */
  readonly baseUrl: () => string;
  /** Where the agent dials: `10.77.0.1:8082`. */
  readonly agentEndpoint: () => string;
  readonly kernelArguments: string;
}

/** A machine that cannot load its files asks again, and after this many failures boots its disk. */
const RETRY = { seconds: 15, attempts: 20 };

export function createAgentScripts(options: AgentScriptOptions): BootScripts {
  return {
    bootScript(request) {
      const assets = `${options.baseUrl()}/boot/assets/${AGENT_FOLDER}`;
      const script = bootScript(request.decision, {
        machine: request.mac,
        region: options.regionId,
        retry: { ...RETRY, url: scriptUrl(options.baseUrl(), request), jitter: Math.random() },
        agent: {
          kernelUrl: `${assets}/${KERNEL_FILE}`,
          initrdUrls: [`${assets}/${INITRAMFS_FILE}`, `${assets}/${SITE_FILE}`],
          kernelArguments: kernelArguments(options, request),
        },
      });
      return renderIpxeScript(script);
    },
  };
}

/** The URL in option 67, with iPXE's own variables: the machine says who it is. */
export function advertisedScriptUrl(baseUrl: string): string {
  return `${baseUrl}/boot/menu.ipxe?mac=\${net0/mac}&uuid=\${uuid}&platform=\${platform}&serial=\${serial:uristring}`;
}

function scriptUrl(baseUrl: string, request: BootScriptRequest): string {
  const query = new URLSearchParams({ mac: macWithHyphens(request.mac) });
  if (request.uuid !== undefined) query.set('uuid', request.uuid);
  if (request.platform !== undefined) query.set('platform', request.platform);
  return `${baseUrl}/boot/menu.ipxe?${query.toString()}`;
}

function kernelArguments(options: AgentScriptOptions, request: BootScriptRequest): KernelArgument[] {
  const { decision } = request;
  if (decision.kind !== 'agent') return [];
  const ticket = mintTicket(options.secrets, {
    taskId: decision.taskId,
    expiresAtSeconds: Math.floor(options.clock.nowMs() / 1000) + TICKET_SECONDS,
    nonce: randomBytes(12).toString('hex'),
  });
  const fixed = options.kernelArguments.split(' ').map((argument): KernelArgument => {
    const at = argument.indexOf('=');
    return at < 0 ? [argument, ''] : [argument.slice(0, at), argument.slice(at + 1)];
  });
  return [
    ...fixed,
    // Hardware type 01 and the MAC: the interface that booted, as PXELINUX and dracut spell it.
    ['BOOTIF', `01-${macWithHyphens(request.mac)}`],
    ['lpmos.region', options.regionId],
    ['lpmos.agent', options.agentEndpoint()],
    ['lpmos.task', decision.taskId],
    ['lpmos.mac', request.mac],
    ['lpmos.ticket', ticket],
  ];
}
