/**
 * The TFTP server: one listening socket, its transfers, and a boot event for every request.
 * What a datagram means is decided in read-request.ts, how a transfer goes in transfer.ts, sockets are in sockets.ts, names beyond the
 * table are in lookup.ts. Serves published names from memory; nothing can be written. RFC 1350, 2347, 2348, 2349, 7440, RFC 1123 section 4.2.3.
 */
import type { Clock } from '@lpmos/core';
import type { BootEventListener } from '../boot-event';
import type { FileFinder } from '../file-finder';
import { DEFAULT_TFTP_LIMITS, type TftpLimits } from './admission';
import { createLookups } from './lookup';
import type { FileTable } from './names';
import { encodeTftpError } from './packet';
import { answerDatagram, answerFound, type RequestAnswer } from './read-request';
import { createReport, peerText } from './report';
import { createSessionTable } from './session-table';
import { udpSockets, type ListeningSocket, type SocketFactory, type UdpPeer } from './sockets';

export interface TftpServerOptions {
  /** Literal IP address to bind; transfers leave from it. */
  readonly address: string;
  /** 69 in production, 0 for a free one. */
  readonly port: number;
  /** A socket bound to that address and port that a service manager passed in. */
  readonly fd?: number;
  readonly files: FileTable;
  /** Asked for names that `files` does not have. */
  readonly find?: FileFinder;
  readonly onEvent: BootEventListener;
  readonly clock: Clock;
  readonly limits?: Partial<TftpLimits>;
  /** Who may ask at all, such as the peers with a lease of ours; the others get silence. Default: everybody. */
  readonly admits?: (peer: UdpPeer) => boolean;
  readonly socketFactory?: SocketFactory;
}

export interface TftpServer {
  /** @param port instead of that of the options. @throws LpmosError `unavailable` when the address cannot be bound. */
  start(port?: number): Promise<{ readonly port: number }>;
  /** Drops running transfers and closes the port. */
  stop(): Promise<void>;
  /** Number of running transfers. */
  sessions(): number;
}

export function createTftpServer(options: TftpServerOptions): TftpServer {
  const { address, files, clock } = options;
  const sockets = options.socketFactory ?? udpSockets;
  const report = createReport(options.onEvent);
  const limits = { ...DEFAULT_TFTP_LIMITS, ...options.limits };
  const sessions = createSessionTable({ address, sockets, clock, limits, report });
  const lookups = createLookups({
    limits,
    report,
    ...(options.find === undefined ? {} : { find: options.find }),
  });
  let listening: ListeningSocket | undefined;

  // Port 0 cannot be answered, and a request from the well-known port is another server being made to talk to us.
  const mayAsk = (peer: UdpPeer) =>
    peer.port !== 0 && peer.port !== listening?.port && options.admits?.(peer) !== false;

  const perform = (answer: Exclude<RequestAnswer, { kind: 'missing' }>, from: UdpPeer) => {
    const peer = peerText(from);
    switch (answer.kind) {
      case 'transfer':
        return sessions.start(answer, from);
      case 'refuse': {
        const { request, reason, about } = answer;
        listening?.reply(encodeTftpError(answer.error), from);
        return report({ ...about, peer, request, outcome: 'refused', reason });
      }
      case 'ignore':
        return report({ peer, request: answer.request, outcome: 'ignored', reason: answer.reason });
    }
  };
  const onDatagram = (datagram: Uint8Array, from: UdpPeer) => {
    const peer = peerText(from);
    if (!mayAsk(from)) {
      report({ peer, request: 'datagram', outcome: 'ignored', reason: 'the peer may not ask this server' });
      return;
    }
    const answer = answerDatagram(datagram, files);
    if (answer.kind !== 'missing') {
      if (answer.kind !== 'ignore') lookups.forget(from);
      return perform(answer, from);
    }
    lookups.ask(answer, from, (found) => {
      if (listening !== undefined) perform(answerFound(answer, found), from);
    });
  };
  const onError = (error: Error) =>
    report({ peer: '-', request: 'socket', outcome: 'failed', reason: error.message });

  return {
    async start(port = options.port) {
      const where = options.fd === undefined ? { address, port } : { address, port, fd: options.fd };
      listening = await sockets.listen({ ...where, onDatagram, onError });
      return { port: listening.port };
    },
    async stop() {
      const closing = listening;
      listening = undefined;
      sessions.abandonAll('the server stops');
      await closing?.close();
    },
    sessions: () => sessions.size(),
  };
}
