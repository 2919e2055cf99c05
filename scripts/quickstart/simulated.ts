/**
 * The quickstart with simulated machines: the same etcd, control plane and region, the same bytes, on loopback and without privilege.
 * Ends with 0 only when every machine checked in from its disk and no disk was written without permission.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@lpmos/runtime';
import { fleetMac, runFleet } from '@lpmos/simulator';
import type { FleetResult } from '@lpmos/simulator';
import { buildPrograms } from '../build';
import { makeSimulatedArtefacts } from '../stack/simulated-artefacts';
import { simulatedSite } from '../stack/simulated-site';
import type { SimulatedSite } from '../stack/simulated-site';
import { startStack } from '../stack/stack';
import type { Stack } from '../stack/stack';
import { signToken } from '../stack/token';
import { MOST_ASKED } from './arguments';
import type { QuickstartArgs } from './arguments';
import { createCommandLine, INTERRUPTED } from './command-line';
import { createSteps } from './steps';

const IMAGE_BYTES = 16 * 1024 * 1024;
const SEED = 1;
const POLL_MS = 200;

export async function runSimulated(options: {
  readonly args: QuickstartArgs;
  readonly dir: string;
}): Promise<number> {
  const { args, dir } = options;
  const steps = createSteps();
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  steps.begin('building the programs');
  await buildPrograms();
  steps.end('bundled');
  steps.begin('etcd, control plane and region "lab" on loopback');
  const site = await simulatedSite();
  const stack = await startStack({
    ...makeSimulatedArtefacts({ dir, imageBytes: IMAGE_BYTES }),
    dir,
    regionId: 'lab',
    serviceAddress: '127.0.0.1',
    dhcpLink: site.dhcpLink,
    ports: { api: args.port, tftp: 0, http: 0, agentApi: 0, agentGrpc: 0 },
    onStep: (text) => steps.note(text),
  });
  steps.end(`region ready ${(stack.daemon.readyAfterMs / 1000).toFixed(2)} s after its start`);
  try {
    return await lives({ args, dir, stack, site, signal: stop.signal });
  } finally {
    await stack.stop();
  }
}

interface LivesOptions {
  readonly args: QuickstartArgs;
  readonly dir: string;
  readonly stack: Stack;
  readonly site: SimulatedSite;
  readonly signal: AbortSignal;
}

async function lives(options: LivesOptions): Promise<number> {
  const { args, dir, stack, site, signal } = options;
  const tokenFile = join(dir, 'token');
  writeFileSync(
    tokenFile,
    signToken({ keyFile: stack.keys.tokenKeyFile, subject: 'operator@lab', roles: ['admin'] }),
    { mode: 0o600 },
  );
  const cli = createCommandLine({ url: stack.apiUrl, tokenFile });
  const macs = Array.from({ length: args.machines }, (_, index) => fleetMac(SEED, index));
  const ids = await Promise.all(macs.map(async (mac) => (await order(stack, mac)).task_id));
  process.stdout.write(
    `\n${args.machines} machines are powered on; each boots, reports, waits for approval, installs, reboots.\n`,
  );
  const fleet = runFleet({
    machines: macs.length,
    macs,
    seed: SEED,
    network: {
      dhcpServer: { address: '127.0.0.1', port: stack.daemonPorts['dhcp'] ?? 0 },
      clientAddress: site.clientAddress,
      relayPort: site.relayPort,
      tftpPort: stack.daemonPorts['tftp'] ?? 0,
    },
    staggerMs: 20,
    concurrency: 64,
    signal,
  });
  fleet.catch(() => undefined);
  await untilReported(stack, ids, signal);
  await cli.show('task', 'list');
  for (const id of ids) {
    if (signal.aborted) break;
    const words = ['task', 'approve', id, ...(args.yes ? ['--yes'] : [])];
    const code = args.machines > MOST_ASKED ? await approveQuietly(stack, id) : await cli.show(...words);
    if (code === INTERRUPTED) return INTERRUPTED;
    if (code !== 0) throw new Error(`lpmos ${words.join(' ')} ended with ${code}`);
  }
  return report(await fleet, cli, signal);
}

async function report(
  result: FleetResult,
  cli: ReturnType<typeof createCommandLine>,
  signal: AbortSignal,
): Promise<number> {
  await cli.show('task', 'list');
  const up = result.byKind['host-up'] ?? 0;
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  process.stdout.write('\nSeconds since power-on (median, 99th percentile, machines):\n');
  for (const [name, { p50, p99, count }] of Object.entries(result.statistics)) {
    process.stdout.write(
      `  ${name.padEnd(10)} ${seconds(p50).padStart(7)} ${seconds(p99).padStart(7)} ${String(count).padStart(5)}\n`,
    );
  }
  process.stdout.write(
    `\n${up} of ${result.outcomes.length} machines run from their disks; writes without permission: ${result.violations.length}\n`,
  );
  if (signal.aborted) return INTERRUPTED;
  return up === result.outcomes.length && result.violations.length === 0 ? 0 : 1;
}

async function order(stack: Stack, mac: string): Promise<{ readonly task_id: string }> {
  return stack.api.createTask({
    region_id: 'lab',
    target_mac: mac,
    os_type: 'debian',
    os_version: '12',
    disk_layout: 'auto',
    network_config: 'dhcp',
    tags: { purpose: 'quickstart' },
  });
}

async function approveQuietly(stack: Stack, id: string): Promise<number> {
  await stack.api.approveTask(id, { approved: true, notes: 'quickstart' });
  return 0;
}

async function untilReported(stack: Stack, ids: readonly string[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const tasks = await Promise.all(ids.map((id) => stack.api.getTask(id)));
    if (tasks.every(({ status }) => status === 'pending_approval')) return;
    const lost = tasks.find(({ status }) => status === 'failed');
    if (lost !== undefined) throw new Error(`task ${lost.task_id} failed; see lpmos task show`);
    await sleep(POLL_MS, signal);
  }
}
