/**
 * What a finished task leaves in etcd: every key that exists after real lives of simulated machines and did not before, hardware report
 * and timeline included. Counted as bytes of keys and values.
 */
import { fleetMac, runFleet } from '@lpmos/simulator';
import { createEtcdKv, measureRange, prefixRange } from '@lpmos/store';
import type { Kv } from '@lpmos/store';
import { atMost, rounded } from './harness/benchmark';
import type { Benchmark } from './harness/benchmark';
import { orderTask, until, withSite } from './harness/site';
import type { BenchSite } from './harness/site';

const MACHINES = { full: 20, quick: 4 };
const SEED = 11;
const LIFE_MS = 240_000;
const KIB = 1024;

/** Parts of a task by the word behind its id; everything else under its own first word. */
function kindOf(key: string): string {
  const words = key.split('/');
  if (words[2] === 'regions') return `region: ${words[4] ?? ''}`;
  return words[2] === 'tasks' ? `task: ${words[4] ?? ''}` : `beside tasks: ${words[2] ?? ''}`;
}

async function bytesByKind(kv: Kv): Promise<Map<string, number>> {
  const { end, start } = prefixRange('/lpmos/');
  const { entries } = await kv.range({
    range: end === undefined ? { start } : { start, end },
    limit: 100_000,
  });
  const kinds = new Map<string, number>();
  for (const { key, value } of entries) {
    const bytes = Buffer.byteLength(key) + Buffer.byteLength(value);
    kinds.set(kindOf(key), (kinds.get(kindOf(key)) ?? 0) + bytes);
  }
  return kinds;
}

async function liveThrough(site: BenchSite, count: number): Promise<void> {
  const { stack, machines } = site;
  const macs = Array.from({ length: count }, (_, index) => fleetMac(SEED, index));
  const ids = await Promise.all(macs.map((mac) => orderTask(stack, mac)));
  const stop = new AbortController();
  const fleet = runFleet({
    machines: count,
    macs,
    seed: SEED,
    network: {
      dhcpServer: { address: '127.0.0.1', port: stack.daemonPorts['dhcp'] ?? 0 },
      clientAddress: machines.clientAddress,
      relayPort: machines.relayPort,
    },
    staggerMs: 10,
    concurrency: count,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(LIFE_MS)]),
  });
  fleet.catch(() => undefined);
  const approved = new Set<string>();
  const approveReported = async (): Promise<boolean> => {
    for (const id of ids.filter((each) => !approved.has(each))) {
      if ((await stack.api.getTask(id)).status !== 'pending_approval') continue;
      await stack.api.approveTask(id, { approved: true, notes: 'benchmark' });
      approved.add(id);
    }
    return approved.size === ids.length;
  };
  await until('all reports', approveReported, LIFE_MS, 200);
  const result = await fleet;
  if (result.byKind['host-up'] !== count) {
    throw new Error(`not every machine came up from its disk: ${JSON.stringify(result.byKind)}`);
  }
}

export const etcdFootprint: Benchmark = {
  name: 'etcd-footprint',
  question: 'How much of etcd does a finished task take?',
  async run({ quick, note }) {
    const count = quick ? MACHINES.quick : MACHINES.full;
    return withSite(async (site) => {
      const kv = createEtcdKv({ endpoints: [site.stack.etcd.endpoint] });
      try {
        const everything = prefixRange('/lpmos/');
        const before = await measureRange(kv, everything);
        note(`${count} machines live through boot, approval, installation and first boot`);
        await liveThrough(site, count);
        const after = await measureRange(kv, everything);
        const perTask = (after.bytes - before.bytes) / count / KIB;
        const kinds = [...(await bytesByKind(kv))].sort(([, a], [, b]) => b - a);
        return {
          targets: [atMost('etcd bytes per finished task', 20, perTask, 'KiB')],
          tables: [
            {
              title: `Means over ${count} tasks; ${(after.keys - before.keys) / count} keys each`,
              columns: ['keys', 'bytes per task'],
              rows: kinds.map(([kind, bytes]) => [kind, rounded(bytes / count)]),
            },
          ],
          remarks: [
            'Simulated machines report as real servers do, with one disk, and send no log: the log of a real installation adds its tail, some KiB, at most 64.',
            'Keys and values as they stand at the end. etcd adds about 30 bytes a version and keeps older versions until it compacts (hourly here).',
            `At this size 10 000 finished tasks take ${rounded((perTask * KIB * 10_000) / 1e6)} MB.`,
          ],
        };
      } finally {
        kv.close();
      }
    });
  },
};
