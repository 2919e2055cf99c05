/**
 * Downloads one file by TFTP: the pure machine of tftp-receive.ts over a UDP socket. The server's port is learnt from its first
 * answer (RFC 1350 section 4); packets from anywhere else get error 5 and change nothing.
 * The socket and the timer end with the download, however it ends.
 */
import { createSocket } from 'node:dgram';
import { createHash } from 'node:crypto';
import { decodeTftpPacket, encodeTftpError, encodeTftpPacket } from '@lpmos/netboot';
import type { Endpoint } from '@lpmos/netboot';
import { startReceive, stepReceive } from './tftp-receive';
import type { ReceiveEvent, ReceiveStep } from './tftp-receive';

export interface TftpDownloadOptions {
  readonly server: Endpoint;
  readonly clientAddress: string;
  readonly filename: string;
  /** UEFI asks for 1468 and 4, iPXE for 1432 and no window. */
  readonly blksize: number;
  readonly windowsize: number;
  readonly timeScale: number;
  readonly signal: AbortSignal;
}

export type TftpResult = { readonly bytes: number; readonly sha256: string } | { readonly failure: string };

const TIMEOUT_MS = 1000;

/** @throws the signal's reason when it aborts. */
export function downloadByTftp(options: TftpDownloadOptions): Promise<TftpResult> {
  const { server, signal } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const hash = createHash('sha256');
    let timer: NodeJS.Timeout | undefined;
    let step: ReceiveStep;
    let transferPort: number | undefined;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.close(settle);
    };
    const onAbort = (): void =>
      end(() => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason))));
    const send = (bytes: Uint8Array, port: number): void => socket.send(bytes, port, server.address);
    const perform = (next: ReceiveStep): void => {
      step = next;
      for (const effect of next.effects) {
        if (effect.kind === 'send') send(encodeTftpPacket(effect.packet), transferPort ?? server.port);
        else if (effect.kind === 'data') hash.update(effect.data);
        else if (effect.kind === 'arm') {
          clearTimeout(timer);
          timer = setTimeout(() => feed({ kind: 'timeout' }), TIMEOUT_MS * options.timeScale);
        } else if (effect.kind === 'finished') {
          const bytes = next.state.bytes;
          end(() => resolve({ bytes, sha256: hash.digest('hex') }));
        } else end(() => resolve({ failure: effect.reason }));
      }
    };
    const feed = (event: ReceiveEvent): void => perform(stepReceive(step.state, event));
    socket.on('error', (error) => end(() => resolve({ failure: error.message })));
    socket.on('message', (bytes, from) => {
      transferPort ??= from.port;
      if (from.port !== transferPort || from.address !== server.address) {
        socket.send(encodeTftpError('unknown-transfer-id'), from.port, from.address);
        return;
      }
      const packet = decodeTftpPacket(bytes);
      if (packet.kind !== 'malformed') feed({ kind: 'packet', packet });
    });
    signal.addEventListener('abort', onAbort, { once: true });
    socket.bind({ address: options.clientAddress, port: 0 }, () => {
      if (!signal.aborted) perform(startReceive(options));
    });
  });
}
