/**
 * One try of a TFTP read, ended as soon as it has shown what it can: options agreed, first block there, refusal, or silence until the
 * deadline. The transfer is then given up with an error packet, so that the server does not send on. What it means is tftp-check.ts.
 */
import { decodeTftpPacket, encodeTftpError, encodeTftpPacket } from '@lpmos/netboot';
import type { TftpOptionList } from '@lpmos/netboot';
import type { TftpTry } from './tftp-check';
import { openUdp } from './udp-socket';
import type { UdpPeer } from './udp-socket';

export interface TftpTryOptions {
  readonly server: string;
  readonly port: number;
  readonly file: string;
  readonly blksize: number;
  /** For the whole try. */
  readonly deadlineMs: number;
}

/** A lost packet must not look like a firewall. */
const TRIES = 3;

export function tryTftp(options: TftpTryOptions): Promise<TftpTry> {
  const { server, port, file, blksize, deadlineMs } = options;
  const asked: TftpOptionList = [
    ['tsize', '0'],
    ['blksize', String(blksize)],
    ['windowsize', '4'],
  ];
  const request = encodeTftpPacket({ kind: 'RRQ', filename: file, mode: 'octet', options: asked });
  const about = { file, blksize };
  return new Promise((resolve, reject) => {
    let granted: Readonly<Record<string, string>> | undefined;
    let timer: NodeJS.Timeout | undefined;
    const opening = openUdp({
      bind: [{ address: '0.0.0.0', port: 0 }],
      onDatagram: (bytes, from) => {
        if (from.address === server) hear(bytes, from);
      },
    });
    const end = (found: TftpTry, goodbye?: UdpPeer): void => {
      clearInterval(timer);
      void opening.then((socket) => {
        if (goodbye !== undefined) socket.send(encodeTftpError('not-defined'), goodbye);
        // The goodbye leaves before its socket closes.
        setImmediate(() => socket.close());
      });
      resolve(found);
    };
    const hear = (bytes: Uint8Array, from: UdpPeer): void => {
      const packet = decodeTftpPacket(bytes);
      if (packet.kind === 'OACK') {
        granted = Object.fromEntries(packet.options);
        void opening.then((socket) => socket.send(encodeTftpPacket({ kind: 'ACK', block: 0 }), from));
      } else if (packet.kind === 'DATA') {
        end(
          granted === undefined ? { ...about, end: 'plain-data' } : { ...about, end: 'options', granted },
          from,
        );
      } else if (packet.kind === 'ERROR') {
        end({ ...about, end: 'refused', detail: packet.message });
      }
    };
    opening.then((socket) => {
      let sent = 0;
      const ask = (): void => {
        sent += 1;
        if (sent > TRIES)
          end(granted === undefined ? { ...about, end: 'silence' } : { ...about, end: 'no-data', granted });
        else if (granted === undefined) socket.send(request, { address: server, port });
      };
      timer = setInterval(ask, deadlineMs / TRIES);
      ask();
    }, reject);
  });
}
