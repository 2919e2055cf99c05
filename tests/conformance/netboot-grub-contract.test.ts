/**
 * The Secure Boot contract of a real region: etcd, control plane and daemon as processes, Debian's own shim and GRUB, the test as the relay
 * and, with curl, as firmware, shim and GRUB. From the name in the lease on, everything that is named is served, byte for byte.
 * What the machine does with it is tests/e2e/secure-boot.test.ts.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MacAddress } from '@lpmos/core';
import { bootRequest, decodePacket, encodePacket, OPTION, readText } from '@lpmos/netboot';
import { buildPrograms, programPath } from '../../scripts/build';
import { secureBootLoaders } from '../../scripts/lab/secure-boot-loaders';
import type { SecureBootLoaders } from '../../scripts/lab/secure-boot-loaders';
import { makeSimulatedArtefacts } from '../../scripts/stack/simulated-artefacts';
import { simulatedSite } from '../../scripts/stack/simulated-site';
import type { SimulatedSite } from '../../scripts/stack/simulated-site';
import { startStack } from '../../scripts/stack/stack';
import type { Stack } from '../../scripts/stack/stack';
import { itWhen } from '../integration/harness/it-when';
import { missingClient, until } from './harness/netboot-foreign-clients';

const MAC = '02:00:00:00:0c:05' as MacAddress;
const missing = missingClient('etcd', 'etcd-server') ?? missingClient('curl', 'curl');
const test = itWhen(missing);
const run = promisify(execFile);

let dir: string;
let stack: Stack;
let site: SimulatedSite;
let ramdiskDir: string;
let loaders: SecureBootLoaders;

beforeAll(async () => {
  if (missing !== undefined) return;
  dir = mkdtempSync(join(tmpdir(), 'lpmos-grub-contract-'));
  if (!existsSync(programPath('lpmos-regional-daemon'))) await buildPrograms();
  loaders = await secureBootLoaders();
  site = await simulatedSite();
  const artefacts = makeSimulatedArtefacts({ dir, imageBytes: 1024 * 1024 });
  ({ ramdiskDir } = artefacts);
  stack = await startStack({
    ...{ dir, ...artefacts, regionId: 'lab', serviceAddress: '127.0.0.1', dhcpLink: site.dhcpLink },
    ports: { api: 0, tftp: 0, http: 0, agentApi: 0, agentGrpc: 0 },
    daemonSettings: {
      ...{ LPMOS_UEFI_CHAIN: 'grub', LPMOS_SHIM_FILE: loaders.shim, LPMOS_GRUB_FILE: loaders.grub },
    },
  });
  await stack.api.createTask({ region_id: 'lab', target_mac: MAC, os_type: 'debian', os_version: '12' });
}, 300_000);
afterAll(async () => {
  if (missing !== undefined) return;
  await stack.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What DHCP names to the firmware of this machine, as soon as the region knows its task; empty when it names nothing. */
async function offeredTo(vendorClass: string, architecture: number): Promise<string> {
  const relay = createSocket('udp4');
  const names: string[] = [];
  relay.on('message', (datagram) => {
    const decoded = decodePacket(datagram);
    if (decoded.kind !== 'packet') return;
    names.push(decoded.packet.file || (readText(decoded.packet.options, OPTION.bootfileName) ?? ''));
  });
  await new Promise<void>((bound) => relay.bind(site.relayPort, site.clientAddress, bound));
  const options = new Map([
    [OPTION.vendorClassIdentifier, Buffer.from(vendorClass)] as const,
    [OPTION.clientSystemArchitecture, Uint8Array.of(0, architecture)] as const,
  ]);
  try {
    const packet = bootRequest({
      type: 'DHCPDISCOVER',
      mac: MAC,
      xid: 7,
      giaddr: site.clientAddress,
      options,
    });
    relay.send(encodePacket(packet), stack.daemonPorts['dhcp'] ?? 0, '127.0.0.1');
    await until('an offer', () => names.length > 0);
    return names[0] ?? '';
  } finally {
    relay.close();
  }
}

/** Comparing millions of bytes one by one takes jest a minute. */
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const digestOf = (path: string): string => digest(readFileSync(path));

async function load(url: string): Promise<Buffer> {
  const words = ['--silent', '--show-error', '--fail', '--path-as-is', '--max-time', '60', url];
  const { stdout } = await run('curl', words, { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

const tftp = (name: string): Promise<Buffer> =>
  load(`tftp://127.0.0.1:${stack.daemonPorts['tftp']}/${name.replace(/^\//, '')}`);
const http = (path: string): Promise<Buffer> => load(`http://127.0.0.1:${stack.daemonPorts['http']}${path}`);

/** The region needs a moment to prepare a new task; until then the machine is told to wait, as GRUB would be. */
async function machineScript(name: string): Promise<string> {
  const end = performance.now() + 30_000;
  for (;;) {
    const text = (await tftp(name)).toString();
    if (text.includes('linux ')) return text;
    expect(text).toMatch(/asks again in \d+ seconds/);
    if (performance.now() > end) throw new Error(`no script of the agent within 30 s, but ${text}`);
  }
}

describe('a region with the chain of shim and GRUB', () => {
  test('serves all that is named on the way from the lease to the agent', async () => {
    const shim = await offeredTo('PXEClient:Arch:00007:UNDI:003000', 7);
    expect(digest(await tftp(shim))).toBe(digestOf(loaders.shim));
    // shim takes the folder of its own name, and this one beside it.
    expect(digest(await tftp(shim.replace(/[^/]*$/, 'grubx64.efi')))).toBe(digestOf(loaders.grub));
    const menu = (await tftp('/grub/grub.cfg')).toString();
    const [, before, behind] = /source '([^']+)'"\$\{net_default_mac\}"'([^']+)'/.exec(menu) ?? [];
    const script = await machineScript(`${before ?? ''}${MAC}${behind ?? ''}`);
    const [, kernel] = /linux '([^']+)'/.exec(script) ?? [];
    const [, initramfs, siteInitramfs] = /initrd '([^']+)' '([^']+)'/.exec(script) ?? [];
    expect(digest(await tftp(kernel ?? ''))).toBe(digestOf(join(ramdiskDir, 'vmlinuz')));
    expect(digest(await tftp(initramfs ?? ''))).toBe(digestOf(join(ramdiskDir, 'initramfs.img')));
    expect((await tftp(siteInitramfs ?? '')).length).toBeGreaterThan(0);
    expect(script).toMatch(/'lpmos\.ticket=[^']+'/);
  }, 120_000);

  test('has the same scripts by HTTP, and names no loader to HTTP firmware whose GRUB could not go on', async () => {
    expect((await http('//grub/grub.cfg')).toString()).toContain('net_default_mac');
    expect((await http(`/grub/machine/${MAC}.cfg`)).toString()).toContain(`machine ${MAC}`);
    expect(digest(await http('/boot/loaders//grubx64.efi'))).toBe(digestOf(loaders.grub));
    expect(await offeredTo('HTTPClient:Arch:00016:UNDI:003000', 16)).toBe('');
  });

  test('keeps iPXE for the others', async () => {
    expect(await offeredTo('PXEClient:Arch:00000:UNDI:002001', 0)).toBe('undionly.kpxe');
  });
});
