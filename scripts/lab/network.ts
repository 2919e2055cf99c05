/**
 * The lab's wire: loopback, one bridge and one tap for each machine, made with iproute2 inside the lab's namespace.
 * Not responsible for the namespace itself (namespace.ts) or for who answers on the wire.
 * Invariant: refuses to work in the host's own network, where a bridge would outlive the run.
 */
import { runCommand } from '../run-command';

export interface BridgeOptions {
  readonly name: string;
  /** Address of the region's services on the bridge, with prefix length: 10.77.0.1/24. */
  readonly address: string;
}

/** Linux cuts no name short, it refuses it (IFNAMSIZ is 16 with the terminating zero). */
const MAX_INTERFACE_NAME = 15;

async function ip(...args: string[]): Promise<void> {
  await runCommand('ip', args, { timeoutMs: 10_000 });
}

function checkName(name: string): void {
  if (!/^[a-z][a-z0-9-]*$/.test(name) || name.length > MAX_INTERFACE_NAME) {
    throw new Error(
      `interface name "${name}": use lower-case letters, digits and -, at most ${MAX_INTERFACE_NAME}`,
    );
  }
}

/** Names of interfaces that a fresh namespace with only our bridges and taps would not have. Pure. */
export function foreignInterfaces(ipLinkJson: string): string[] {
  const links = JSON.parse(ipLinkJson) as { ifname: string; linkinfo?: { info_kind?: string } }[];
  return links
    .filter((link) => link.ifname !== 'lo' && !OUR_KINDS.has(link.linkinfo?.info_kind ?? ''))
    .map((link) => link.ifname);
}

const OUR_KINDS: ReadonlySet<string> = new Set(['bridge', 'tun']);

async function assertInside(): Promise<void> {
  const foreign = foreignInterfaces(await runCommand('ip', ['-j', '-d', 'link', 'show']));
  if (foreign.length === 0) return;
  const names = foreign.join(', ');
  throw new Error(`refusing to make a lab network beside ${names}: start inside namespaceCommand()`);
}

/** Loopback up, bridge up with its address. Forwarding delay is off: a PXE ROM gives up before it would end. */
export async function createBridge(options: BridgeOptions): Promise<void> {
  checkName(options.name);
  await assertInside();
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'add', options.name, 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
  await ip('addr', 'add', options.address, 'dev', options.name);
  // A link whose first machine has just got power has no address of its own yet: the kernel looks for twins of it first.
  await ip('-6', 'addr', 'add', LINK_LOCAL, 'dev', options.name, 'nodad');
  await ip('link', 'set', options.name, 'up');
}

/** The bridge's own, for IPv6. */
const LINK_LOCAL = 'fe80::1/64';

/** A second way of the host onto the bridge, with an address of its own: for a second server on the same wire. */
export async function createPort(options: {
  readonly name: string;
  readonly bridge: string;
  readonly address: string;
}): Promise<void> {
  checkName(options.name);
  const plug = `${options.name}-plug`;
  await ip('link', 'add', options.name, 'type', 'veth', 'peer', 'name', plug);
  await ip('link', 'set', plug, 'master', options.bridge, 'up');
  await ip('addr', 'add', options.address, 'dev', options.name);
  await ip('link', 'set', options.name, 'up');
}

/** A tap for one machine, attached to the bridge. */
export async function createTap(options: { readonly name: string; readonly bridge: string }): Promise<void> {
  checkName(options.name);
  await ip('tuntap', 'add', 'dev', options.name, 'mode', 'tap');
  await ip('link', 'set', options.name, 'master', options.bridge);
  await ip('link', 'set', options.name, 'up');
}

/** Sends no faster to a machine than so many Mbit/s, so that what it loads takes its time. */
export async function limitRate(name: string, megabits: number): Promise<void> {
  const shape = ['root', 'tbf', 'rate', `${megabits}mbit`, 'burst', '64kb', 'latency', '400ms'];
  await runCommand('tc', ['qdisc', 'add', 'dev', name, ...shape], { timeoutMs: 10_000 });
}

export async function removeInterface(name: string): Promise<void> {
  await ip('link', 'del', name);
}

/** Pulls or plugs the cable of a machine. */
export async function setLink(name: string, state: 'up' | 'down'): Promise<void> {
  await ip('link', 'set', name, state);
}
