/**
 * What a machine's boot of the agent says on the kernel line, and where the machine asks again: pure, so that whoever explains a boot away
 * from its region gets the very same text. The ticket is the caller's: a region mints one, an explanation puts a placeholder.
 */
import { macWithHyphens } from '@lpmos/core';
import type { MacAddress, TaskId } from '@lpmos/core';
import { MENU_PATH } from '../http/boot-routes';
import type { KernelArgument } from './script';

export interface AgentArguments {
  /** Arguments of the site, separated by spaces. */
  readonly fixed: string;
  readonly region: string;
  /** Where the agent dials: `10.77.0.1:8082`. */
  readonly agentEndpoint: string;
  readonly taskId: TaskId;
  readonly mac: MacAddress;
  readonly ticket: string;
}

export function agentArguments(given: AgentArguments): KernelArgument[] {
  const fixed = given.fixed.split(' ').map((argument): KernelArgument => {
    const at = argument.indexOf('=');
    return at < 0 ? [argument, ''] : [argument.slice(0, at), argument.slice(at + 1)];
  });
  return [
    ...fixed,
    // Hardware type 01 and the MAC: the interface that booted, as PXELINUX and dracut spell it.
    ['BOOTIF', `01-${macWithHyphens(given.mac)}`],
    ['lpmos.region', given.region],
    ['lpmos.agent', given.agentEndpoint],
    ['lpmos.task', given.taskId],
    ['lpmos.mac', given.mac],
    ['lpmos.ticket', given.ticket],
  ];
}

/** Where one machine finds its script; `baseUrl` without a slash at the end. */
export function machineScriptUrl(
  baseUrl: string,
  machine: { readonly mac: MacAddress; readonly uuid?: string; readonly platform?: string },
): string {
  const query = new URLSearchParams({ mac: macWithHyphens(machine.mac) });
  if (machine.uuid !== undefined) query.set('uuid', machine.uuid);
  if (machine.platform !== undefined) query.set('platform', machine.platform);
  return `${baseUrl}${MENU_PATH}?${query.toString()}`;
}
