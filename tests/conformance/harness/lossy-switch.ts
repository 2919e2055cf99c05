/**
 * A switch that loses frames: a bridge in a namespace of its own between one server and many client machines. The kernel's packet filter drops
 * a share of what enters each port, so that a request and its answer are lost independently. Whoever deletes the namespaces removes it all.
 */
import { spawnSync } from 'node:child_process';
import { dropShare } from '../../../scripts/lab/frame-loss';
import { ip } from './ip-command';

export interface LossySwitchOptions {
  /** Namespace and prefix of what stands in it. */
  readonly name: string;
  readonly serverSpace: string;
  readonly serverDevice: string;
  readonly clientSpace: string;
  readonly machines: number;
  /** Of the frames that enter a port, 0 to 100. */
  readonly lossPercent: number;
}

/** Why there can be no such switch here, or undefined. */
export function missingLossySwitch(): string | undefined {
  const found = spawnSync('sh', ['-c', 'command -v nft']).status === 0;
  return found ? undefined : 'no nft here; install it with "apt-get install nftables"';
}

/** @returns the devices of the machines in the clients' namespace; all are up. */
export function makeLossySwitch(options: LossySwitchOptions): readonly string[] {
  const { name, serverSpace, serverDevice, clientSpace, machines, lossPercent } = options;
  ip(['netns', 'add', name]);
  ip(['-n', name, 'link', 'add', 'switch', 'type', 'bridge', 'forward_delay', '0']);
  ip(['-n', name, 'link', 'set', 'switch', 'up']);
  const devices = Array.from({ length: machines }, (_none, index) => `machine${index}`);
  const ends = [
    [serverSpace, serverDevice] as const,
    ...devices.map((device) => [clientSpace, device] as const),
  ];
  const ports = ends.map(([space, device], index) => {
    const port = `port${index}`;
    const pair = ['link', 'add', device, 'netns', space, 'type', 'veth', 'peer', 'name', port];
    ip([...pair, 'netns', name]);
    ip(['-n', name, 'link', 'set', port, 'master', 'switch', 'up']);
    ip(['-n', space, 'link', 'set', device, 'up']);
    spawnSync('ip', ['netns', 'exec', space, 'ethtool', '-K', device, 'tx', 'off']);
    return port;
  });
  if (lossPercent > 0) loseFrames(name, ports, lossPercent);
  return devices;
}

function loseFrames(space: string, ports: readonly string[], percent: number): void {
  const hook = `type filter hook ingress devices = { ${ports.join(', ')} } priority 0;`;
  const rules = ['table netdev loss {', 'chain entering {', hook, dropShare(percent), '}', '}', ''].join(
    '\n',
  );
  const nft = ['netns', 'exec', space, 'nft', '-f', '-'];
  const done = spawnSync('ip', nft, { input: rules, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`nft: ${done.stderr}`);
}
