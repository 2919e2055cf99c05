/**
 * The interfaces of this host with their IPv4 addresses, from what /proc shows: also of an interface without a cable, which
 * os.networkInterfaces() leaves out although its address can be bound and served as soon as the link comes up. Pure; host-facts.ts reads.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import { ipv4Number } from './daemon-links';

export interface InterfaceSources {
  /** /proc/net/dev: every interface, up or not. */
  readonly dev: string;
  /** /proc/net/fib_trie: every address that the host has. */
  readonly fibTrie: string;
  /** /proc/net/route: the interface of each connected network. */
  readonly route: string;
  /** What os.networkInterfaces() says: addresses in their order. */
  readonly running: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
}

/** @returns name → IPv4 addresses in their order, empty for an interface that has none */
export function hostInterfaces(sources: InterfaceSources): ReadonlyMap<string, readonly string[]> {
  const interfaces = new Map<string, readonly string[]>(namesIn(sources.dev).map((name) => [name, []]));
  for (const [name, entries] of Object.entries(sources.running)) {
    const ipv4 = (entries ?? []).filter(({ family }) => family === 'IPv4');
    interfaces.set(
      name,
      ipv4.map(({ address }) => address),
    );
  }
  const known = new Set([...interfaces.values()].flat());
  const routes = routesIn(sources.route);
  for (const address of localAddressesIn(sources.fibTrie)) {
    const name = known.has(address) ? undefined : deviceOf(address, routes);
    if (name !== undefined) interfaces.set(name, [...(interfaces.get(name) ?? []), address]);
  }
  return interfaces;
}

function namesIn(dev: string): readonly string[] {
  return dev
    .split('\n')
    .slice(2)
    .flatMap((line) => line.split(':')[0]?.trim() || []);
}

function localAddressesIn(fibTrie: string): readonly string[] {
  const found = [...fibTrie.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g)];
  return [...new Set(found.map(([, address = '']) => address))];
}

interface ConnectedRoute {
  readonly device: string;
  readonly network: number;
  readonly mask: number;
}

/** Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask; addresses as the words of this machine's memory. */
function routesIn(route: string): readonly ConnectedRoute[] {
  return route
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/))
    .filter(
      ([, , gateway, , , , , mask]) => gateway === '00000000' && mask !== undefined && mask !== '00000000',
    )
    .map(([device = '', network = '', , , , , , mask = '']) => ({
      device,
      network: fromMemory(network),
      mask: fromMemory(mask),
    }));
}

/** Both architectures of the daemon, amd64 and arm64, have the lowest byte first. */
function fromMemory(word: string): number {
  return Buffer.from(word, 'hex').readUInt32LE();
}

/** The longest prefix wins, as in the kernel. */
function deviceOf(address: string, routes: readonly ConnectedRoute[]): string | undefined {
  const number = ipv4Number(address) ?? 0;
  const fitting = routes.filter(({ network, mask }) => (number & mask) >>> 0 === network);
  return fitting.reduce<ConnectedRoute | undefined>(
    (best, one) => (best === undefined || one.mask > best.mask ? one : best),
    undefined,
  )?.device;
}
