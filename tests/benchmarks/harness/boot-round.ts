/**
 * One power-on in the lab, up to the hardware report; runs inside a network namespace of its own (boot-lab.ts starts it).
 * Server `lpmos`: the regional daemon does everything. Server `peer`: dnsmasq does DHCP and nginx serves script, kernel and both initramfs
 * as static files, while the same daemon with DHCP off only hears the report. Machine, ramdisk and kernel arguments are equal: the
 * peer's script is the daemon's own with its URLs changed, ticket included.
 */
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Accelerator } from '../../../scripts/lab/accelerator';
import { startMachine } from '../../../scripts/lab/machine';
import { createBridge, createTap } from '../../../scripts/lab/network';
import { startRouter } from '../../../scripts/lab/router';
import { LAB_LINK, LAB_MACHINE } from '../../../scripts/quickstart/lab-site';
import type { RunningChild } from '../../../scripts/stack/process';
import { makeSimulatedArtefacts } from '../../../scripts/stack/simulated-artefacts';
import { startStack } from '../../../scripts/stack/stack';
import type { Stack } from '../../../scripts/stack/stack';
import { markOfLogLine } from '../../../scripts/quickstart/phases';
import type { Mark, MarkName } from '../../../scripts/quickstart/phases';
import { startDnsmasqDhcp, startNginx } from './peers';
import { until } from './site';

export type BootServer = 'lpmos' | 'peer';
/** How the machine comes from power-on to iPXE: by the ROM of its card, or by UEFI's own PXE or HTTP client. */
export type BootChain = 'bios' | 'uefi' | 'uefi-http';

export interface BootRoundSettings {
  readonly server: BootServer;
  readonly chain: BootChain;
  readonly dir: string;
  readonly ramdiskDir: string;
  readonly accelerator: Accelerator['kind'];
  readonly memoryMiB: number;
}

/** Milliseconds since power-on of what the daemon saw. */
export type BootRoundResult = Partial<Record<MarkName, number>>;

const HOST = LAB_LINK.serviceAddress;
const DAEMON_HTTP = { lpmos: 80, peer: 8090 } as const;
const DAEMON_TFTP = { lpmos: 69, peer: 6969 } as const;
const LOADER_FOLDER = '/usr/lib/ipxe';
const UEFI_LOADER = 'snponly.efi';
const REPORT_DEADLINE_MS = 300_000;
const READY_MS = 20_000;

async function round(settings: BootRoundSettings): Promise<BootRoundResult> {
  const marks: Mark[] = [];
  await createBridge({ name: LAB_LINK.bridge, address: LAB_LINK.bridgeAddress });
  await createTap({ name: LAB_MACHINE.tap, bridge: LAB_LINK.bridge });
  // The region says itself that there is none; for dnsmasq as a DHCP server alone, another one announces itself.
  const router = settings.server === 'peer' ? await startRouter({ bridge: LAB_LINK.bridge }) : undefined;
  const stack = await startStack({
    dir: join(settings.dir, 'stack'),
    regionId: 'lab',
    serviceAddress: HOST,
    ramdiskDir: settings.ramdiskDir,
    // The task is never approved, so the image only has to be there.
    imagesDir: makeSimulatedArtefacts({ dir: settings.dir, imageBytes: 1024 * 1024 }).imagesDir,
    dhcpLink: settings.server === 'lpmos' ? LAB_LINK.dhcp : undefined,
    ports: {
      ...{ api: 8080, agentApi: 8081, agentGrpc: 8082 },
      ...{ tftp: DAEMON_TFTP[settings.server], http: DAEMON_HTTP[settings.server] },
    },
    onDaemonLine: (line) => {
      const mark = markOfLogLine(line, false);
      if (mark !== undefined) marks.push(mark);
    },
  });
  const peers: RunningChild[] = [];
  try {
    await order(stack);
    if (settings.server === 'peer') peers.push(...(await startPeers(settings)));
    marks.length = 0;
    return await Promise.race([powerOn(settings, marks), deathOf(stack.daemon)]);
  } finally {
    for (const peer of peers) await peer.stop();
    await stack.stop();
    await router?.stop();
  }
}

/** Without its daemon a machine would wait for ever. */
async function deathOf(child: RunningChild): Promise<never> {
  const { code, signal } = await child.exited;
  throw new Error(`${child.name} ended with ${signal ?? `code ${code}`}; its log is beside the settings`);
}

async function order(stack: Stack): Promise<void> {
  const { task_id: id } = await stack.api.createTask({
    region_id: 'lab',
    target_mac: LAB_MACHINE.mac,
    os_type: 'debian',
    os_version: '12',
    disk_layout: 'auto',
    network_config: 'dhcp',
    tags: {},
  });
  await until('the task to be ready', async () => (await stack.api.getTask(id)).status === 'ready', READY_MS);
}

async function powerOn(settings: BootRoundSettings, marks: readonly Mark[]): Promise<BootRoundResult> {
  const poweredOnAt = Date.now();
  const machine = await startMachine({
    ...LAB_MACHINE,
    memoryMiB: settings.memoryMiB,
    disk: { ...LAB_MACHINE.disk, path: join(settings.dir, 'disk.raw') },
    firmware: settings.chain,
    accelerator: settings.accelerator,
    consoleLog: join(settings.dir, 'console.log'),
  });
  try {
    const reported = (): boolean => marks.some(({ name }) => name === 'hardware-reported');
    await until('the hardware report', reported, REPORT_DEADLINE_MS, 20);
  } finally {
    await machine.kill();
  }
  const result: BootRoundResult = {};
  for (const { name, atMs } of marks) result[name] ??= atMs - poweredOnAt;
  return result;
}

async function startPeers(settings: BootRoundSettings): Promise<RunningChild[]> {
  const root = join(settings.dir, 'static');
  await mkdir(root, { recursive: true });
  await writeStaticFiles(root, settings);
  const { dir } = settings;
  return [
    await startNginx({ dir, address: HOST, port: 80, root }),
    await startDnsmasqDhcp({
      dir,
      address: HOST,
      interface: LAB_LINK.bridge,
      pool: LAB_LINK.dhcp.pool,
      netmask: '255.255.255.0',
      // As LPMOS says it: do not wait for a proxy (175.176). The peer is at its best.
      more: ['--dhcp-option-force=encap:175,176,1b', ...peerBoot(settings.chain, root)],
    }),
  ];
}

/** dnsmasq's words for the same answers: the script for iPXE, before it the loader for UEFI. */
function peerBoot(chain: BootChain, root: string): string[] {
  const script = `http://${HOST}/boot.ipxe`;
  if (chain === 'bios') return [`--dhcp-boot=${script}`];
  const ipxe = ['--dhcp-userclass=set:ipxe,iPXE', `--dhcp-boot=tag:ipxe,${script}`];
  return chain === 'uefi'
    ? [...ipxe, `--dhcp-boot=tag:!ipxe,${UEFI_LOADER},,${HOST}`, '--enable-tftp', `--tftp-root=${root}`]
    : [
        ...ipxe,
        '--dhcp-vendorclass=set:http,HTTPClient',
        '--dhcp-option-force=tag:http,60,HTTPClient',
        `--dhcp-boot=tag:http,http://${HOST}/${UEFI_LOADER}`,
      ];
}

async function writeStaticFiles(root: string, settings: BootRoundSettings): Promise<void> {
  const daemon = `http://${HOST}:${DAEMON_HTTP.peer}/boot`;
  const platform = settings.chain === 'bios' ? 'pcbios' : 'efi';
  const query = new URLSearchParams({ mac: LAB_MACHINE.mac, uuid: LAB_MACHINE.uuid, platform });
  const script = await (await download(`${daemon}/menu.ipxe?${query.toString()}`)).text();
  if (!script.includes(`${daemon}/assets/agent/`)) throw new Error(`the script boots no agent:\n${script}`);
  await writeFile(join(root, 'boot.ipxe'), script.replaceAll(`${daemon}/assets/agent/`, `http://${HOST}/`));
  const site = await (await download(`${daemon}/assets/agent/site.img`)).arrayBuffer();
  await writeFile(join(root, 'site.img'), new Uint8Array(site));
  for (const name of ['vmlinuz', 'initramfs.img'])
    await symlink(join(settings.ramdiskDir, name), join(root, name));
  await copyFile(join(LOADER_FOLDER, UEFI_LOADER), join(root, UEFI_LOADER));
}

async function download(url: string): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(READY_MS) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response;
}

async function main(settingsFile: string): Promise<void> {
  const settings = JSON.parse(await readFile(settingsFile, 'utf8')) as BootRoundSettings;
  await writeFile(join(settings.dir, 'result.json'), JSON.stringify(await round(settings)));
}

if (require.main === module) {
  void main(process.argv[2] ?? '').then(
    () => process.exit(0),
    (thrown: unknown) => {
      process.stderr.write(
        `${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`,
      );
      process.exit(1);
    },
  );
}
