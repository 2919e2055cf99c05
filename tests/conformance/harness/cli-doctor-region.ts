/**
 * The services of a region on one address, as a process of its own inside a network namespace: our DHCP, TFTP and HTTP servers, a TLS port
 * and a health report. Argument: JSON settings. Writes one JSON line when all listen. Ends with its input.
 */
import { createServer as createWebServer } from 'node:http';
import { createServer as createTlsWebServer } from 'node:https';
import { createServer as createTlsServer } from 'node:tls';
import type { BootDecision, TaskId } from '@lpmos/core';
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
import type { DhcpLink } from '@lpmos/netboot';
import { systemClock } from './netboot-foreign-clients';

export interface DoctorRegionSettings {
  readonly link: DhcpLink;
  /** Decision for every machine. */
  readonly decision: 'agent' | 'silent';
  /** Without it the boot server's port is closed. */
  readonly bootServer: boolean;
  readonly cert: string;
  readonly key: string;
  /** An HTTP server whose clock is wrong by so many seconds, in place of ours. */
  readonly clockOffsetSeconds?: number;
  readonly problems: readonly string[];
}

const LOADER_BYTES = 70_000;
const TASK = '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId;
const settings = JSON.parse(process.argv[2] ?? '{}') as DoctorRegionSettings;
const { link } = settings;
const address = link.serverAddress;
const clock = systemClock;
const onEvent = (): void => undefined;
const kernelUrl = `http://${address}/boot/assets/agent/vmlinuz`;

function decide(): BootDecision {
  if (settings.decision === 'silent') return { kind: 'silent', reason: 'no task names this machine' };
  return { kind: 'agent', purpose: 'report', taskId: TASK, reason: 'the test says agent' };
}

function script(): string {
  const retry = { url: link.boot.scriptUrl, seconds: 5, attempts: 3, jitter: 0.5 };
  const agent = { kernelUrl, initrdUrls: [], kernelArguments: [] };
  return renderIpxeScript(bootScript(decide(), { machine: 'any', region: 'lab', retry, agent }));
}

async function main(): Promise<void> {
  const open = (port: number) => openUdpSocket({ serverAddress: address, port });
  await createDhcpServer({
    ...{ link, clock, onEvent, decider: { decide }, open: open(67) },
    ...(settings.bootServer ? { openBootServer: open(4011) } : {}),
  }).start();
  const files = createFileTable({
    'undionly.kpxe': new Uint8Array(LOADER_BYTES),
    'snponly.efi': new Uint8Array(LOADER_BYTES),
  });
  await createTftpServer({ address, port: 69, files, clock, onEvent }).start();
  await listenHttp();
  const health = {
    status: settings.problems.length === 0 ? 'healthy' : 'degraded',
    problems: settings.problems,
    services: {},
  };
  const { cert, key } = settings;
  createTlsWebServer({ cert, key }, (_request, response) => response.end(JSON.stringify(health))).listen(
    8081,
    address,
  );
  createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => socket.on('error', onEvent)).listen(
    8082,
    address,
    () => process.stdout.write('{"ready":true}\n'),
  );
  process.stdin.resume().on('end', () => process.exit(0));
}

async function listenHttp(): Promise<void> {
  const { clockOffsetSeconds } = settings;
  const kernel = { bytes: new Uint8Array(LOADER_BYTES), etag: '"kernel"' };
  if (clockOffsetSeconds === undefined) {
    const assets = createMemoryAssets(new Map([['agent/vmlinuz', kernel]]));
    const scripts = { bootScript: script };
    await createBootHttpServer({
      address,
      port: 80,
      decider: { decide },
      scripts,
      assets,
      images: assets,
      loaders: assets,
      onEvent,
      clock,
    }).start();
    return;
  }
  createWebServer((request, response) => {
    response.setHeader('Date', new Date(Date.now() + clockOffsetSeconds * 1000).toUTCString());
    const isMenu = request.url?.startsWith('/boot/menu.ipxe') === true;
    response.end(isMenu ? script() : Buffer.alloc(LOADER_BYTES));
  }).listen(80, address);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
