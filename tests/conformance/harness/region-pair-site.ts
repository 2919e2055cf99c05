/**
 * A region with two daemons as one process tree, to be run inside a network namespace: etcd, control plane, and a daemon at each of two
 * addresses. The second reaches etcd through a link that can be cut. Argument: JSON of PairSettings. Writes JSON lines: `{ pids }` of the
 * daemons each time one has started, `{ of, line }` for each line of their logs, `{ copies }` when asked. Reads commands, one a line: `cut`,
 * `start-first`, `count-copies`. Ends on SIGTERM.
 */
import { createInterface } from 'node:readline';
import { makeSimulatedArtefacts } from '../../../scripts/stack/simulated-artefacts';
import { startStack } from '../../../scripts/stack/stack';
import { createEtcdKv, createLeaseStore } from '@lpmos/store';
import { parseRegionId } from '@lpmos/core';
import { createTcpLink } from '../../integration/harness/tcp-link';

export interface PairSettings {
  readonly dir: string;
  readonly programsDir: string;
  /** Settings of each daemon by their variables, with LPMOS_SERVICE_ADDRESS and LPMOS_DHCP_LINKS. */
  readonly daemons: readonly [Readonly<Record<string, string>>, Readonly<Record<string, string>>];
}

const settings = JSON.parse(process.argv[2] ?? '{}') as PairSettings;
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function main(): Promise<void> {
  const { dir, programsDir, daemons } = settings;
  const stack = await startStack({
    ...{ dir, regionId: 'pair', dhcpLink: undefined, programsDir },
    serviceAddress: daemons[0]['LPMOS_SERVICE_ADDRESS'] ?? '',
    ...makeSimulatedArtefacts({ dir, imageBytes: 1024 * 1024 }),
    ports: { api: 0, tftp: 69, http: 80, agentApi: 8081, agentGrpc: 8082 },
    ...{ withoutFsync: true, sessionSeconds: 3, logLevel: 'debug' },
    daemonEnv: daemons[0],
    onDaemonLine: (line) => say({ of: 0, line }),
  });
  const toEtcd = await createTcpLink(stack.etcd.clientPort);
  const second = await stack.startPartner({ ...daemons[1], LPMOS_ETCD_ENDPOINTS: toEtcd.endpoint }, (line) =>
    say({ of: 1, line }),
  );
  const started = (): void => say({ pids: [stack.daemon.pid, second.pid] });
  const kv = createEtcdKv({ endpoints: [stack.etcd.endpoint] });
  const leases = createLeaseStore({ kv });
  const obey = async (command: string): Promise<void> => {
    if (command === 'cut') return toEtcd.cut();
    if (command === 'count-copies') {
      let copies = 0;
      for await (const _copy of leases.all(parseRegionId('pair'))) copies += 1;
      return say({ copies });
    }
    await stack.startDaemon();
    started();
  };
  createInterface({ input: process.stdin }).on('line', (command) => void obey(command));
  process.once('SIGTERM', () => {
    kv.close();
    void Promise.all([second.stop(), stack.stop(), toEtcd.close()]).finally(() => process.exit(0));
  });
  started();
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
