/** A whole LPMOS as real processes on loopback in a folder of its own, for benchmarks; removed at the end. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPrograms, programPath } from '../../../scripts/build';
import type { ProgramName } from '../../../scripts/build';
import { makeSimulatedArtefacts } from '../../../scripts/stack/simulated-artefacts';
import { simulatedSite } from '../../../scripts/stack/simulated-site';
import type { SimulatedSite } from '../../../scripts/stack/simulated-site';
import { startStack } from '../../../scripts/stack/stack';
import type { Stack, StackOptions } from '../../../scripts/stack/stack';

export const REGION = 'bench';

export interface BenchSite {
  readonly dir: string;
  readonly stack: Stack;
  readonly machines: SimulatedSite;
}

/** Another run beside this one may have built already; a rebuild under its feet would end it. */
export async function builtProgram(name: ProgramName): Promise<string> {
  if (!existsSync(programPath(name))) await buildPrograms();
  return programPath(name);
}

export async function withFolder<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'lpmos-benchmark-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export async function withSite<T>(
  use: (site: BenchSite) => Promise<T>,
  settings: { readonly imageBytes?: number; readonly stack?: Partial<StackOptions> } = {},
): Promise<T> {
  await builtProgram('lpmos-regional-daemon');
  return withFolder(async (dir) => {
    const machines = await simulatedSite();
    const stack = await startStack({
      ...makeSimulatedArtefacts({ dir, imageBytes: settings.imageBytes ?? 1024 * 1024 }),
      dir,
      regionId: REGION,
      serviceAddress: '127.0.0.1',
      dhcpLink: machines.dhcpLink,
      ports: { api: 0, tftp: 0, http: 0, agentApi: 0, agentGrpc: 0 },
      ...settings.stack,
    });
    try {
      return await use({ dir, stack, machines });
    } finally {
      await stack.stop();
    }
  });
}

export async function orderTask(stack: Stack, mac: string): Promise<string> {
  const task = await stack.api.createTask({
    region_id: REGION,
    target_mac: mac,
    os_type: 'debian',
    os_version: '12',
    disk_layout: 'auto',
    network_config: 'dhcp',
    tags: { purpose: 'benchmark' },
  });
  return task.task_id;
}

/** Polls until the condition holds. @throws Error naming what was waited for. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs: number,
  everyMs = 50,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
