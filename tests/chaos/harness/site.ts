/**
 * A site under chaos: etcd, control plane and regional daemon as real processes, built from the sources as they are now, and a reader of etcd
 * of its own, so that what is observed does not pass through the programs that are killed. Lives are life.ts, judgement is ../checker.ts.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiClient } from '@lpmos/api';
import type { ApiClient } from '@lpmos/api';
import { parseRegionId, regionTag } from '@lpmos/core';
import { sleep, systemClock } from '@lpmos/runtime';
import { openRelaySocket } from '@lpmos/simulator';
import type { MachineNetwork, RelaySocket } from '@lpmos/simulator';
import { createEtcdKv, prefixRange, readRange, watchTasks } from '@lpmos/store';
import type { Kv, KvEntry, WatchedTasks } from '@lpmos/store';
import { buildPrograms } from '../../../scripts/build';
import { partnerSettings } from '../../../scripts/stack/partners';
import type { RunningChild } from '../../../scripts/stack/process';
import { makeSimulatedArtefacts } from '../../../scripts/stack/simulated-artefacts';
import { simulatedSite } from '../../../scripts/stack/simulated-site';
import type { SimulatedSite } from '../../../scripts/stack/simulated-site';
import { freeUdpPort } from '../../../scripts/stack/udp-port';
import { createTcpLink } from '../../integration/harness/tcp-link';
import type { TcpLink } from '../../integration/harness/tcp-link';
import { startStack } from '../../../scripts/stack/stack';
import type { Stack } from '../../../scripts/stack/stack';
import { signToken } from '../../../scripts/stack/token';

export const REGION = 'chaos';
const IMAGE_BYTES = 8 * 1024 * 1024;
/** Short, so that what waits for a session's end does not make the tests slow; takeover itself must not depend on it. */
const SESSION_SECONDS = 10;

export type Victim = 'regional daemon' | 'control plane' | 'etcd';

export interface Site {
  readonly dir: string;
  readonly programsDir: string;
  readonly stack: Stack;
  readonly kv: Kv;
  /** Every task of the region, from etcd itself. */
  readonly tasks: WatchedTasks;
  readonly network: MachineNetwork;
  readonly relay: RelaySocket;
  readonly imagesDir: string;
  readonly ramdiskDir: string;
  /** Log lines of the daemon, over all its lives. */
  readonly daemonLines: readonly string[];
  readonly partner: Partner | undefined;
  /** SIGKILL; resolves when the process is gone. */
  kill(victim: Victim): Promise<void>;
  restart(victim: Victim): Promise<void>;
  /** Another client of the same site, whose requests go to these ports in turn. */
  clientOver(ports: readonly number[]): ApiClient;
  /** Everything that is in etcd, at one revision. */
  everything(): Promise<readonly KvEntry[]>;
  stop(): Promise<void>;
}

/** The second daemon. */
export interface Partner {
  readonly child: RunningChild;
  readonly dhcpPort: number;
  /** Its own way to etcd. */
  readonly toEtcd: TcpLink;
}

export interface SiteOptions {
  readonly sessionSeconds?: number;
  /** A second daemon on another address, standing by. */
  readonly withPartner?: boolean;
  /** Before the daemon starts: takes away or spoils what it would serve. */
  readonly prepare?: (dirs: { readonly imagesDir: string; readonly ramdiskDir: string }) => void;
}

export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'lpmos-chaos-'));
  const programsDir = join(dir, 'programs');
  await buildPrograms(programsDir);
  const loopback = await simulatedSite();
  const artefacts = makeSimulatedArtefacts({ dir, imageBytes: IMAGE_BYTES });
  options.prepare?.(artefacts);
  const daemonLines: string[] = [];
  const [first, second] = partnerSettings(dir, ['127.0.0.1', '127.0.0.2']);
  const stack = await startStack({
    ...artefacts,
    dir,
    programsDir,
    withoutFsync: true,
    regionId: REGION,
    serviceAddress: '127.0.0.1',
    dhcpLink: loopback.dhcpLink,
    ports: { api: 0, tftp: 0, http: 0, agentApi: 0, agentGrpc: 0 },
    sessionSeconds: options.sessionSeconds ?? SESSION_SECONDS,
    onDaemonLine: (line) => daemonLines.push(line),
    ...(options.withPartner === true ? { daemonEnv: first } : {}),
  });
  const partner = options.withPartner === true ? await startPartner(stack, loopback, second) : undefined;
  const stop = new AbortController();
  const kv = createEtcdKv({ endpoints: [stack.etcd.endpoint] });
  const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  const tasks = watchTasks({ kv, clock: systemClock, regionTag: regionTag(parseRegionId(REGION), sha256) });
  await tasks.start(stop.signal);
  const network: MachineNetwork = {
    dhcpServer: { address: '127.0.0.1', port: stack.daemonPorts['dhcp'] ?? 0 },
    clientAddress: loopback.clientAddress,
    relayPort: loopback.relayPort,
    tftpPort: stack.daemonPorts['tftp'] ?? 0,
  };
  const relay = await openRelaySocket({ address: network.clientAddress, port: network.relayPort });
  return {
    ...{ dir, programsDir, stack, kv, tasks, network, relay, daemonLines, partner, ...artefacts },
    async kill(victim) {
      await processOf(stack, victim).kill();
    },
    restart: (victim) => starterOf(stack, victim)(),
    clientOver: (ports) => clientOver(stack, ports),
    async everything() {
      return (await readRange(kv, prefixRange('/lpmos/'))).entries;
    },
    async stop() {
      stop.abort();
      await tasks.done;
      kv.close();
      await relay.close();
      await partner?.child.stop();
      await partner?.toEtcd.close();
      await stack.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** On a DHCP port of its own: on one host the leader has the first. */
async function startPartner(
  stack: Stack,
  { dhcpLink, relayPort }: SimulatedSite,
  settings: Readonly<Record<string, string>>,
): Promise<Partner> {
  const dhcpPort = await freeUdpPort();
  const ports = { server: dhcpPort, client: relayPort, relay: relayPort };
  const toEtcd = await createTcpLink(stack.etcd.clientPort);
  try {
    const child = await stack.startPartner({
      ...settings,
      LPMOS_ETCD_ENDPOINTS: toEtcd.endpoint,
      LPMOS_DHCP_LINKS: JSON.stringify([{ ...(dhcpLink as object), ports }]),
    });
    return { child, dhcpPort, toEtcd };
  } catch (thrown) {
    await stack.stop();
    throw thrown;
  }
}

function processOf(stack: Stack, victim: Victim): { kill(): Promise<unknown> } {
  switch (victim) {
    case 'regional daemon':
      return stack.daemon;
    case 'control plane':
      return stack.controlPlane;
    case 'etcd':
      return stack.etcd.child;
  }
}

function starterOf(stack: Stack, victim: Victim): () => Promise<void> {
  switch (victim) {
    case 'regional daemon':
      return stack.startDaemon;
    case 'control plane':
      return stack.startControlPlane;
    case 'etcd':
      return stack.startEtcd;
  }
}

/** A load balancer of the simplest kind: the next request goes to the next replica. */
function clientOver(stack: Stack, ports: readonly number[]): ApiClient {
  let turn = 0;
  return createApiClient({
    baseUrl: 'http://replicas.invalid',
    token: signToken({ keyFile: stack.keys.tokenKeyFile, subject: 'chaos', roles: ['admin'] }),
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      url.host = `127.0.0.1:${ports[(turn += 1) % ports.length]}`;
      return fetch(url, init);
    },
  });
}

/** Waits for a condition; the error says what did not come. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${deadlineMs} ms`);
    await sleep(20);
  }
}
