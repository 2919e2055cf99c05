/**
 * The boot contract of a real region: etcd, control plane and daemon as processes, the test as the relay and the machine. What DHCP and
 * scripts advertise is served, its bytes are those of the manifest, it is named by address, and machines that wait spread.
 */
import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MacAddress } from '@lpmos/core';
import { bootRequest, decodePacket, encodePacket, OPTION, parseIpxeScript, readText } from '@lpmos/netboot';
import { buildPrograms, programPath } from '../../scripts/build';
import { makeSimulatedArtefacts } from '../../scripts/stack/simulated-artefacts';
import { simulatedSite, type SimulatedSite } from '../../scripts/stack/simulated-site';
import { startStack, type Stack } from '../../scripts/stack/stack';
import { itWhen } from '../integration/harness/it-when';
import { missingClient, until } from './harness/netboot-foreign-clients';

const MAC = '02:00:00:00:0c:01' as MacAddress;
const MACHINES = 500;
const test = itWhen(missingClient('etcd', 'etcd-server'));

let dir: string;
let stack: Stack;
let site: SimulatedSite;
let ramdiskDir: string;
let imagesDir: string;
let scriptUrl = '';
const started = missingClient('etcd', 'etcd-server') === undefined;

beforeAll(async () => {
  if (!started) return;
  dir = mkdtempSync(join(tmpdir(), 'lpmos-contract-'));
  if (!existsSync(programPath('lpmos-regional-daemon'))) await buildPrograms();
  site = await simulatedSite();
  ({ ramdiskDir, imagesDir } = makeSimulatedArtefacts({ dir, imageBytes: 1024 * 1024 }));
  stack = await startStack({
    dir,
    ramdiskDir,
    imagesDir,
    regionId: 'lab',
    serviceAddress: '127.0.0.1',
    dhcpLink: site.dhcpLink,
    ports: { api: 0, tftp: 0, http: 0, agentApi: 0, agentGrpc: 0 },
  });
  await stack.api.createTask({
    region_id: 'lab',
    target_mac: MAC,
    os_type: 'debian',
    os_version: '12',
    disk_layout: 'auto',
    network_config: 'dhcp',
  });
  scriptUrl = await advertised();
}, 120_000);
afterAll(async () => {
  if (!started) return;
  await stack.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What DHCP says to an iPXE of this machine, as soon as the region knows its task. */
async function advertised(): Promise<string> {
  const relay = createSocket('udp4');
  let url = '';
  relay.on('message', (datagram) => {
    const decoded = decodePacket(datagram);
    if (decoded.kind !== 'packet') return;
    url = decoded.packet.file || (readText(decoded.packet.options, OPTION.bootfileName) ?? '');
  });
  await new Promise<void>((bound) => relay.bind(site.relayPort, site.clientAddress, bound));
  try {
    const end = performance.now() + 30_000;
    for (let xid = 1; url === '' && performance.now() < end; xid += 1) {
      await discover(relay, xid);
      await until('an offer', () => url !== '', 500).catch(() => undefined);
    }
    if (url === '') throw new Error('DHCP advertised no script within 30 s');
    return url;
  } finally {
    relay.close();
  }
}

type Options = readonly (readonly [number, Uint8Array])[];

const IPXE: Options = [
  [OPTION.vendorClassIdentifier, Buffer.from('PXEClient:Arch:00007:UNDI:003016')],
  [OPTION.clientSystemArchitecture, Uint8Array.of(0, 7)],
  [OPTION.ipxeEncapsulated, Uint8Array.of(0x13, 1, 1)],
];
const HTTP_FIRMWARE: Options = [
  [OPTION.vendorClassIdentifier, Buffer.from('HTTPClient:Arch:00016:UNDI:003000')],
  [OPTION.clientSystemArchitecture, Uint8Array.of(0, 16)],
];

function discover(relay: Socket, xid: number, sent = IPXE): Promise<void> {
  const options = new Map(sent);
  const packet = bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid, giaddr: site.clientAddress, options });
  return new Promise((sent, refuse) => {
    relay.send(encodePacket(packet), stack.daemonPorts['dhcp'] ?? 0, '127.0.0.1', (error) =>
      error === null ? sent() : refuse(error),
    );
  });
}

/** As iPXE does it: its settings are expanded in the URL; the machine itself is named in it already. */
function expand(url: string): string {
  return url.replace('${platform}', 'efi').replaceAll(/\$\{[^}]*\}/g, '');
}

async function bootMenu(): Promise<{ text: string; headers: Headers }> {
  const response = await fetch(expand(scriptUrl));
  return { text: await response.text(), headers: response.headers };
}

/** The script that loads the agent; the region needs a moment to prepare a new task. */
async function agentScript(): Promise<{ text: string; headers: Headers }> {
  const end = performance.now() + 30_000;
  for (;;) {
    const script = await bootMenu();
    if (/^kernel /m.test(script.text)) return script;
    if (performance.now() > end) throw new Error(`no agent boot within 30 s: ${script.text}`);
    await new Promise((turn) => setTimeout(turn, 50));
  }
}

const urlsOf = (text: string) => [...text.matchAll(/https?:\/\/\S+/g)].map(([url]) => url);
const fetched = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer());
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const manifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, unknown>;

test('H10: serves every artefact with the digest and size of its manifest, and a HEAD that agrees', async () => {
  const { text } = await agentScript();
  const ramdisk = manifest(ramdiskDir) as Record<string, { sha256: string; size_bytes: number }>;
  const image = manifest(imagesDir) as {
    file: string;
    compressed_sha256: string;
    compressed_size_bytes: number;
  };
  const urlOf = (file: string) =>
    urlsOf(text).find((url) => url.endsWith(`/${file}`)) ?? `no URL for ${file}`;
  const artefacts = [
    [urlOf('vmlinuz'), ramdisk['vmlinuz']?.sha256, ramdisk['vmlinuz']?.size_bytes],
    [urlOf('initramfs.img'), ramdisk['initramfs']?.sha256, ramdisk['initramfs']?.size_bytes],
    [new URL(`/images/${image.file}`, scriptUrl).href, image.compressed_sha256, image.compressed_size_bytes],
  ] as const;
  for (const [url, digest, size] of artefacts) {
    const bytes = await fetched(url);
    expect([url, sha256(bytes), bytes.length]).toEqual([url, digest, size]);
    const head = await fetch(url, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(size));
  }
});

test('H10: serves everything that a script names', async () => {
  const { text } = await agentScript();
  const files = parseIpxeScript(text).flatMap((line) => {
    const words = line.kind === 'commands' ? (line.commands[0]?.words ?? []) : [];
    return words[0] === 'kernel' ? [words[1] ?? ''] : words[0] === 'initrd' ? [words.at(-1) ?? ''] : [];
  });
  expect(files).toHaveLength(3);
  for (const url of [...files, expand(scriptUrl)]) {
    const response = await fetch(url, { redirect: 'error' });
    expect([url, response.status]).toEqual([url, 200]);
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(0);
  }
});

test('H10: serves the loader that DHCP names for UEFI HTTP boot, whole and as a program', async () => {
  const relay = createSocket('udp4');
  let url = '';
  relay.on('message', (datagram) => {
    const decoded = decodePacket(datagram);
    if (decoded.kind === 'packet') url = readText(decoded.packet.options, OPTION.bootfileName) ?? '';
  });
  await new Promise<void>((bound) => relay.bind(site.relayPort, site.clientAddress, bound));
  try {
    await discover(relay, 7000, HTTP_FIRMWARE);
    await until('an offer', () => url !== '', 5000);
  } finally {
    relay.close();
  }
  const head = await fetch(url, { method: 'HEAD', redirect: 'error' });
  const bytes = await fetched(url);
  expect([new URL(url).hostname, head.status]).toEqual(['127.0.0.1', 200]);
  expect(head.headers.get('content-type')).toBe('application/efi');
  expect(head.headers.get('content-length')).toBe(String(bytes.length));
  expect(bytes.subarray(0, 2).toString()).toBe('MZ');
});

test('H9: scripts are stored nowhere', async () => {
  expect((await agentScript()).headers.get('cache-control')).toBe('no-store');
});

test('IP7: names the region by its address in DHCP, in every URL and for the agent', async () => {
  const { text } = await agentScript();
  const hosts = [scriptUrl, ...urlsOf(text)].map((url) => new URL(url).hostname);
  expect(hosts.length).toBeGreaterThan(4);
  expect(new Set(hosts)).toEqual(new Set(['127.0.0.1']));
  expect(text).toMatch(/ lpmos\.agent=127\.0\.0\.1:\d+ /);
});

test('IP5: 500 machines that failed together do not ask again together', async () => {
  const waits: number[] = [];
  for (let machine = 0; machine < MACHINES; machine += 1) {
    const { text } = await bootMenu();
    const [, seconds] = /^:fail$[^]*?^sleep (\d+)/m.exec(text) ?? [];
    waits.push(Number(seconds));
  }
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
  const variance = waits.reduce((sum, wait) => sum + (wait - mean) ** 2, 0) / waits.length;
  expect(Math.min(...waits)).toBeGreaterThan(0);
  expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.3);
}, 60_000);
