/**
 * The HTTP boot server on node:http: connections, limits and lifecycle. GET and HEAD only, no TLS (Debian's iPXE has
 * none), no redirects, no chunked bodies. Routes are in boot-routes.ts, scripts in boot-menu.ts, files in download.ts.
 * Every wait of a client is bounded (headers, whole request, silence while it should read), and so are connections.
 * Whatever happens inside, a request ends with an answer or a broken connection, never with a short success.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, MacAddress } from '@lpmos/core';
import type { BootDecider } from '../boot-decider';
import type { BootEvent, BootEventListener } from '../boot-event';
import { explainBindError } from '../bind-error';
import type { FileFinder } from '../file-finder';
import { createAnswersUnderWay, type AnswersUnderWay } from './answers-under-way';
import type { AssetSource } from './asset-files';
import { answerMenu, type BootScripts } from './boot-menu';
import { findRoute } from './boot-routes';
import { createDownloads } from './download';
import { readRequest } from './request';

export interface BootHttpLimits {
  /** Beyond it a connection is closed unanswered, and firmware then goes to its next boot entry: more than a hall has. */
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  /** From connect to the end of the headers: ends slow senders. */
  readonly headersTimeoutMs: number;
  /** A client that neither reads nor writes for so long is dropped. */
  readonly stalledMs: number;
  readonly keepAliveMs: number;
  /** How long downloads may go on after `stop`. */
  readonly stopGraceMs: number;
  /** From this many downloads that get on, machines that would load the agent are told to wait. */
  readonly busyDownloads: number;
}

export const DEFAULT_HTTP_LIMITS: BootHttpLimits = {
  maxConnections: 10_000,
  maxHeaderBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  stalledMs: 30_000,
  keepAliveMs: 5_000,
  stopGraceMs: 2_000,
  busyDownloads: 256,
};

/** Machines that connect in one moment wait here; the kernel cuts it to net.core.somaxconn, which is 4096 where nobody changed it. */
const LISTEN_BACKLOG = 4096;

/**
 * Answers that one connection may wait for: each holds an open file and memory, and a small packet has room for a thousand requests. No
 * boot client asks again before it is answered.
 */
const MOST_AT_ONCE = 8;

export interface BootHttpServerOptions {
  readonly address: string;
  /** 0 for a free one. */
  readonly port: number;
  /** A listening socket on that address and port that a service manager passed in. */
  readonly fd?: number;
  readonly decider: BootDecider;
  readonly scripts: BootScripts;
  /** At `/boot/assets/`. */
  readonly assets: AssetSource;
  /** At `/images/`. */
  readonly images: AssetSource;
  /** At `/boot/loaders/`; without it nothing is published there. */
  readonly loaders?: AssetSource;
  /** Asked for names under `/grub/`; without it nothing is published there. */
  readonly grub?: FileFinder;
  /** Whose lease an address is, as far as that is known: nobody else's script is given to it. */
  readonly holderOf?: (address: string) => MacAddress | undefined;
  readonly onEvent: BootEventListener;
  readonly clock: Clock;
  readonly limits?: Partial<BootHttpLimits>;
}

export interface BootHttpServer {
  /** @param port instead of that of the options. @throws LpmosError `unavailable` when the address cannot be bound. */
  start(port?: number): Promise<{ readonly port: number }>;
  /** Takes no more requests, gives running downloads a moment, then closes every connection. */
  stop(): Promise<void>;
  /** Number of running downloads that get on. */
  downloads(): number;
}

type EventPart = Pick<BootEvent, 'outcome' | 'reason'> &
  Partial<Pick<BootEvent, 'mac' | 'decision' | 'bytes'>>;

/** Longest `request` of a boot event. */
const MAX_REQUEST_TEXT = 200;

export function createBootHttpServer(options: BootHttpServerOptions): BootHttpServer {
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  const downloads = createDownloads(options.clock);
  const underWay = createAnswersUnderWay();

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const emit = (part: EventPart) => options.onEvent({ ...describe(request), ...part });
    const read = readRequest(request.method ?? '', request.url ?? '');
    if ('status' in read) {
      respond(response, read.status, read.problem, read.status === 405 ? { Allow: 'GET, HEAD' } : {});
      return emit({ outcome: 'refused', reason: read.problem });
    }
    const route = findRoute(read.segments);
    if (route.kind === 'menu') {
      const { decider, scripts } = options;
      const load = { activeDownloads: downloads.active(), busyDownloads: limits.busyDownloads };
      const holder = options.holderOf?.(peerOf(request));
      const { script, ...event } = answerMenu({ query: read.query, decider, scripts, holder, ...load });
      respond(response, 200, script);
      return emit(event);
    }
    if (route.kind === 'grub') return answerGrub(options.grub?.(route.name, peerOf(request)), response, emit);
    const source = route.kind === 'file' ? options[route.source] : undefined;
    const served =
      route.kind === 'file' &&
      source !== undefined &&
      (await downloads.serve({
        source,
        name: route.name,
        request,
        response,
        report: (outcome, reason, bytes) =>
          emit({ outcome, reason, ...(bytes === undefined ? {} : { bytes }) }),
      }));
    if (served) return;
    refuseName(response, emit, {});
  };

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    if (underWay.begin(request.socket, response) > MOST_AT_ONCE) {
      request.socket.destroy();
      return;
    }
    // A body is never read: after it the connection could not be used again.
    if (hasBody(request)) response.shouldKeepAlive = false;
    answer(request, response).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : 'unknown fault';
      options.onEvent({ ...describe(request), outcome: 'failed', reason });
      if (response.headersSent) response.destroy();
      else respond(response, 500, 'the file cannot be read now; the log of the region says why');
    });
  };

  const server = boundedServer(limits, handle, underWay);
  return {
    start: (port = options.port) => listen(server, { ...options, port }),
    stop: () => close(server, limits.stopGraceMs),
    downloads: () => downloads.active(),
  };
}

type Emit = (part: EventPart) => void;

function refuseName(response: ServerResponse, emit: Emit, part: Partial<EventPart>): void {
  respond(response, 404, NOT_PUBLISHED);
  emit({ outcome: 'refused', reason: NOT_PUBLISHED, ...part });
}

const NOT_PUBLISHED = 'nothing is published under this name';

/** A script for GRUB. Why a peer may not have one stands in the event only. */
async function answerGrub(
  finding: ReturnType<FileFinder>,
  response: ServerResponse,
  emit: Emit,
): Promise<void> {
  const found = await finding;
  if (found === undefined) return refuseName(response, emit, {});
  if ('refused' in found) return refuseName(response, emit, { ...found.about, reason: found.refused });
  respond(response, 200, Buffer.from(found.bytes).toString('latin1'));
  emit({
    ...found.about,
    outcome: 'answered',
    reason: found.about?.decision?.reason ?? 'the same for every machine',
  });
}

/** Every wait of a client has its deadline here, and so have the number and the size of what it can open. */
function boundedServer(limits: BootHttpLimits, handle: RequestListener, underWay: AnswersUnderWay): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.headersTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
      noDelay: true,
    },
    handle,
  );
  server.maxConnections = limits.maxConnections;
  // node's socket timeout looks at the kernel's progress too: a slow reader lives, one that stopped does not.
  server.timeout = limits.stalledMs;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // A second answer on the wire would be bytes of the file that is being sent.
    if (underWay.on(socket) > 0) socket.destroy();
    else refuseBrokenRequest(error, socket);
  });
  return server;
}

/** @param text ASCII, or bytes as Latin-1: a string leaves in one write with its headers, a buffer would not. */
function respond(response: ServerResponse, status: number, text: string, more: Record<string, string> = {}) {
  const body = text.endsWith('\n') ? text : `${text}\n`;
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=us-ascii',
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
    ...more,
  });
  response.end(body, 'latin1');
}

function describe(request: IncomingMessage): Pick<BootEvent, 'protocol' | 'peer' | 'request' | 'stage'> {
  const text = `${request.method ?? '?'} ${request.url ?? '?'}`;
  const agent = request.headers['user-agent'] ?? '';
  const stage = agent.startsWith('iPXE') ? 'ipxe' : agent.startsWith('UefiHttpBoot') ? 'firmware' : undefined;
  return {
    protocol: 'http',
    peer: peerOf(request),
    request: text.slice(0, MAX_REQUEST_TEXT).replace(/[^\x20-\x7e]/g, '?'),
    ...(stage === undefined ? {} : { stage }),
  };
}

function peerOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '-').replace(/^::ffff:/, '');
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return (length !== undefined && length !== '0') || request.headers['transfer-encoding'] !== undefined;
}

const BROKEN: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket | Duplex): void {
  const status = BROKEN[error.code ?? ''] ?? '400 Bad Request';
  if (socket.writable && error.code !== 'ECONNRESET') {
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
  if ('destroySoon' in socket) socket.destroySoon();
}

function listen(
  server: Server,
  { address, port, fd }: BootHttpServerOptions,
): Promise<{ readonly port: number }> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) =>
      reject(explainBindError({ service: 'HTTP boot', transport: 'TCP', address, port, error }));
    server.once('error', refuse);
    const where = fd === undefined ? { host: address, port } : { fd };
    server.listen({ ...where, backlog: LISTEN_BACKLOG }, () => {
      server.off('error', refuse);
      resolve({ port: (server.address() as AddressInfo).port });
    });
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) {
      resolve();
      return;
    }
    const force = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
