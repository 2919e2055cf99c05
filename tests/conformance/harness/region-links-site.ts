/**
 * A whole region as one process tree, to be run inside a network namespace: etcd, control plane and the daemon with a configuration file.
 * Argument: JSON of SiteSettings. Writes JSON lines: `{ ready: { pid } }` once, `{ line }` for each log line of the daemon. Ends on SIGTERM.
 */
import { join } from 'node:path';
import { makeSimulatedArtefacts } from '../../../scripts/stack/simulated-artefacts';
import { startStack } from '../../../scripts/stack/stack';

export interface SiteSettings {
  readonly dir: string;
  readonly programsDir: string;
  readonly configFile: string;
  readonly serviceAddress: string;
  /** What starts the daemon. */
  readonly prefix: readonly string[];
  /** MACs of machines that get a task. */
  readonly machines: readonly string[];
}

const settings = JSON.parse(process.argv[2] ?? '{}') as SiteSettings;
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function main(): Promise<void> {
  const { dir } = settings;
  const stack = await startStack({
    ...{ dir, regionId: 'links', dhcpLink: undefined, programsDir: settings.programsDir },
    serviceAddress: settings.serviceAddress,
    ...makeSimulatedArtefacts({ dir, imageBytes: 1024 * 1024 }),
    ports: { api: 0, tftp: 69, http: 80, agentApi: 8081, agentGrpc: 8082 },
    daemonEnv: { LPMOS_CONFIG_FILE: settings.configFile, LPMOS_LOADER_DIR: join(dir, 'none') },
    daemonPrefix: settings.prefix,
    withoutFsync: true,
    onDaemonLine: (line) => say({ line }),
    logLevel: 'debug',
  });
  process.once('SIGTERM', () => void stack.stop().finally(() => process.exit(0)));
  for (const mac of settings.machines) {
    await stack.api.createTask({
      region_id: 'links',
      target_mac: mac,
      ...{ os_type: 'debian', os_version: '12', disk_layout: 'auto', network_config: 'dhcp' },
    });
  }
  say({ ready: { pid: stack.daemon.pid } });
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
