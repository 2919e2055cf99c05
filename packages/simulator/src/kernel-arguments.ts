/**
 * What the region tells the agent on the kernel command line (`lpmos.*`); foreign arguments are left alone. All problems are reported
 * together, as the console of a real agent does, because somebody has to walk to that machine.
 */
import { isRegionId, isTaskId, readMacAddress } from '@lpmos/core';
import type { MacAddress, RegionId, TaskId } from '@lpmos/core';

export interface AgentArguments {
  readonly regionId: RegionId;
  /** host:port of the agent gateway of each daemon of the region; the first is the one that the machine booted from. */
  readonly addresses: readonly string[];
  readonly taskId: TaskId;
  readonly ticket: string;
  readonly mac: MacAddress;
}

export type ArgumentsReading = AgentArguments | { readonly problems: readonly string[] };

const MOST_ADDRESSES = 4;
const ADDRESS = /^[0-9A-Za-z.-]+:\d{1,5}$/;
const PREFIX = 'lpmos.';

export function readKernelArguments(commandLine: string): ArgumentsReading {
  const values = new Map(
    commandLine
      .split(/\s+/)
      .filter((word) => word.startsWith(PREFIX) && word.includes('='))
      .map((word) => [word.slice(PREFIX.length, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
  const regionId = values.get('region') ?? '';
  const addresses = (values.get('agent') ?? '').split(',');
  const taskId = values.get('task') ?? '';
  const ticket = values.get('ticket') ?? '';
  const mac = readMacAddress(values.get('mac') ?? '');
  if (
    isRegionId(regionId) &&
    areAddresses(addresses) &&
    isTaskId(taskId) &&
    ticket !== '' &&
    mac !== undefined
  ) {
    return { regionId, addresses, taskId, ticket, mac };
  }
  const wrong: [string, boolean, string][] = [
    ['region', isRegionId(regionId), 'a region id'],
    ['agent', areAddresses(addresses), 'one to four different host:port, separated by commas'],
    ['task', isTaskId(taskId), 'a task id'],
    ['ticket', ticket !== '', 'a ticket'],
    ['mac', mac !== undefined, 'a MAC address'],
  ];
  return {
    problems: wrong.filter(([, right]) => !right).map(([name, , rule]) => `${PREFIX}${name} must be ${rule}`),
  };
}

function areAddresses(addresses: readonly string[]): boolean {
  const areDifferent = new Set(addresses).size === addresses.length;
  return areDifferent && addresses.length <= MOST_ADDRESSES && addresses.every((each) => ADDRESS.test(each));
}
