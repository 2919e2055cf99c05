/**
 * The listener: HTTP or TLS, with limits on slow and large requests, as a component of the run group.
 * Stopping: no new connections, streams told, answers under way finished, and after a deadline whatever is left is cut.
 */
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '@lpmos/runtime';
import type { Component, Logger } from '@lpmos/runtime';

export interface HttpServerOptions {
  readonly listener: RequestListener;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly logger: Logger;
  /** Called before connections are closed, for streams that would never end by themselves. */
  readonly onStopping: () => void;
  readonly onListening?: (address: AddressInfo) => void;
}

/** Slow loris: a head or a whole request that takes longer holds a socket for nothing. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the 60 s for which load balancers keep idle connections, so that they close first and no request is lost. */
const KEEP_ALIVE_MS = 75_000;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 2_000;
/** Below the run group's own stop timeout. */
const DRAIN_MS = 3_000;

export function createHttpServer(options: HttpServerOptions): Component {
  return {
    name: 'http-server',
    async start(signal) {
      const server = makeServer(options);
      await listen(server, options);
      const address = server.address() as AddressInfo;
      const scheme = options.tls === undefined ? 'http' : 'https';
      options.logger.info({ address: address.address, port: address.port, scheme }, 'listening');
      options.onListening?.(address);
      return { done: closeOnAbort(server, signal, options.onStopping) };
    },
  };
}

function makeServer({ listener, tls }: HttpServerOptions): Server {
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server =
    tls === undefined
      ? createServer(limits, listener)
      : createTlsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' }, listener);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

function listen(server: Server, { host, port }: HttpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => reject(refusal(error, host, port));
    server.once('error', refused);
    server.listen(port, host, () => {
      server.off('error', refused);
      resolve();
    });
  });
}

/** What an operator can do about it, with the setting; whatever else it is stays as the system said it. */
function refusal(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const texts: Readonly<Record<string, string>> = {
    EADDRINUSE: `LPMOS_API_PORT=${port}: another program has TCP ${host} port ${port}; stop it (ss -ltnp "sport = :${port}" names it) or choose another port`,
    EADDRNOTAVAIL: `LPMOS_LISTEN_ADDRESS=${host}: is no address of this host; choose one that it has, or 0.0.0.0 for all`,
    EACCES: `LPMOS_API_PORT=${port}: ports below 1024 need CAP_NET_BIND_SERVICE; give it to the service or choose a port from 1024 on`,
  };
  const text = texts[error.code ?? ''];
  return text === undefined ? error : new ConfigError([text]);
}

function closeOnAbort(server: Server, signal: AbortSignal, onStopping: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const stop = (): void => {
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      onStopping();
      server.closeIdleConnections();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
