/**
 * netboot's real DHCP, TFTP and HTTP servers on loopback, started for tests of simulated machines, with the relay socket that
 * machines share. What a machine boots and what its kernel is told is the test's.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { BootDecision, MacAddress } from '@lpmos/core';
import {
  bootScript,
  createBootHttpServer,
  createDhcpServer,
  createFileTable,
  createMemoryAssets,
  createTftpServer,
  openUdpSocket,
  renderIpxeScript,
} from '@lpmos/netboot';
import type { BootEvent, KernelArgument } from '@lpmos/netboot';
import { openRelaySocket } from '@lpmos/simulator';
import { systemClock } from '@lpmos/runtime';

export interface ScriptedNetbootOptions {
  readonly decide: (mac: MacAddress) => BootDecision;
  readonly kernelArguments: (mac: MacAddress, decision: BootDecision) => readonly KernelArgument[];
  /** The second initramfs; none when absent. */
  readonly site?: Uint8Array;
  readonly image: Uint8Array;
}

const ADDRESS = '127.0.0.1';
const INITRAMFS_BYTES = 2 * 1024 * 1024;

export async function startScriptedNetboot(options: ScriptedNetbootOptions) {
  const { decide } = options;
  const events: BootEvent[] = [];
  const loader = randomBytes(70_001);
  const shared = { clock: systemClock, onEvent: (event: BootEvent) => void events.push(event) };
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const asset = (bytes: Uint8Array) => ({ bytes, etag: `"${sha256(bytes).slice(0, 16)}"` });
  const assets = new Map([
    ['vmlinuz', asset(randomBytes(600_000))],
    ['initramfs.img', asset(randomBytes(INITRAMFS_BYTES))],
    ...(options.site === undefined ? [] : [['site.img', asset(options.site)] as const]),
  ]);
  const http = createBootHttpServer({
    ...shared,
    address: ADDRESS,
    port: 0,
    decider: { decide },
    assets: createMemoryAssets(assets),
    images: createMemoryAssets(new Map([['debian.raw.gz', asset(options.image)]])),
    scripts: {
      bootScript: ({ mac, decision }) => {
        const base = `http://${ADDRESS}:${httpPort}/boot`;
        const names = [...assets.keys()].filter((name) => name.endsWith('.img'));
        const facts = {
          machine: mac,
          region: 'lab',
          retry: { url: `${base}/menu.ipxe?mac=${mac}`, seconds: 1, attempts: 3, jitter: 0.5 },
          agent: {
            kernelUrl: `${base}/assets/vmlinuz`,
            initrdUrls: names.map((name) => `${base}/assets/${name}`),
            kernelArguments: options.kernelArguments(mac, decision),
          },
        };
        return renderIpxeScript(bootScript(decision, facts));
      },
    },
  });
  const { port: httpPort } = await http.start();
  const files = createFileTable({ 'undionly.kpxe': loader, 'ipxe.efi': loader });
  const tftp = createTftpServer({ ...shared, address: ADDRESS, port: 0, files });
  const { port: tftpPort } = await tftp.start();
  const relay = await openRelaySocket({ address: ADDRESS, port: 0 });
  const dhcp = createDhcpServer({
    ...shared,
    decider: { decide },
    open: openUdpSocket({ serverAddress: ADDRESS, port: 0 }),
    link: {
      name: 'loopback',
      serverAddress: ADDRESS,
      subnet: '127.0.0.0/8',
      pool: { first: '127.77.0.10', last: '127.77.3.250' },
      dnsServers: [],
      leaseSeconds: 600,
      offerSeconds: 10,
      reservations: [],
      relays: [ADDRESS],
      ports: { server: 67, client: 68, relay: relay.port },
      boot: {
        nextServer: ADDRESS,
        loaders: { bios: 'undionly.kpxe', x64: 'ipxe.efi' },
        scriptUrl: `http://${ADDRESS}:${httpPort}/boot/menu.ipxe?mac=\${net0/mac}&uuid=\${uuid}&platform=\${platform}`,
      },
      unknownClients: 'lease',
    },
  });
  const dhcpServer = await dhcp.start();
  return {
    relay,
    events,
    loaderSha256: sha256(loader),
    imageUrl: `http://${ADDRESS}:${httpPort}/images/debian.raw.gz`,
    network: { dhcpServer, clientAddress: ADDRESS, relayPort: relay.port, tftpPort },
    leases: () => dhcp.leases(),
    async stop(): Promise<void> {
      await dhcp.stop();
      await tftp.stop();
      await http.stop();
      await relay.close();
    },
  };
}
