/** An HTTP boot server on a free port of 127.0.0.1 over a scratch folder, with its events and raw requests to it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import {
  bootScript,
  createBootHttpServer,
  createDirectoryAssets,
  renderIpxeScript,
  type BootEvent,
  type BootHttpServerOptions,
} from '@lpmos/netboot';
import type { BootDecision } from '@lpmos/core';
import { patternBytes, scratchFolder, systemClock } from './netboot-foreign-clients';

/** More than the buffers of two sockets take, so that a client that does not read really stalls. */
export const BIG_BYTES = 64 * 1024 * 1024;

export interface HttpLab {
  readonly root: string;
  readonly scratch: (name: string) => string;
  readonly events: BootEvent[];
  readonly options: BootHttpServerOptions;
  readonly port: number;
  decision: BootDecision;
  url(path: string): string;
  /** Sends bytes as they are and returns all that comes back until the server closes. */
  raw(request: string, port?: number): Promise<string>;
  get(target: string, ...headers: string[]): Promise<string>;
  /** A client that asks for the big image and does not read. */
  lazyClient(port?: number): Socket;
  stop(): Promise<void>;
}

export async function startHttpLab(sizes: readonly number[]): Promise<HttpLab> {
  const scratch = scratchFolder();
  const root = scratch.path('published');
  mkdirSync(`${root}/sb`, { recursive: true });
  for (const size of sizes) writeFileSync(`${root}/${size}.bin`, patternBytes(size));
  writeFileSync(`${root}/big.bin`, patternBytes(BIG_BYTES));
  writeFileSync(`${root}/sb/grubx64.efi`, 'grub');
  writeFileSync(scratch.path('canary'), 'CANARY');
  const source = await createDirectoryAssets({ root });
  const events: BootEvent[] = [];
  const options: BootHttpServerOptions = {
    address: '127.0.0.1',
    port: 0,
    decider: { decide: () => lab.decision },
    scripts: { bootScript: (request) => script(request.decision, request.mac) },
    assets: source,
    images: source,
    onEvent: (event) => events.push(event),
    clock: systemClock,
  };
  const server = createBootHttpServer(options);
  const { port } = await server.start();
  const lab: HttpLab = {
    root,
    scratch: scratch.path,
    events,
    options,
    port,
    decision: { kind: 'silent', reason: 'no task and no assignment names this machine' },
    url: (path) => `http://127.0.0.1:${port}${path}`,
    raw: (request, to = port) => exchange(request, to),
    get: (target, ...headers) =>
      exchange(
        [`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'),
        port,
      ),
    lazyClient: (to = port) => lazyClient(to),
    async stop() {
      await server.stop();
      scratch.remove();
    },
  };
  return lab;
}

function script(decision: BootDecision, mac: string): string {
  const retry = { url: `http://127.0.0.1/boot/menu.ipxe?mac=${mac}`, seconds: 5, attempts: 3, jitter: 0.5 };
  const agent = { kernelUrl: 'http://127.0.0.1/k', initrdUrls: ['http://127.0.0.1/i'], kernelArguments: [] };
  return renderIpxeScript(bootScript(decision, { machine: mac, region: 'lab', retry, agent }));
}

function exchange(request: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request, 'latin1'));
    const parts: Buffer[] = [];
    socket.on('data', (part) => parts.push(part));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')));
  });
}

function lazyClient(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write('GET /images/big.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  return socket;
}
