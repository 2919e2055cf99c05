/**
 * The way out of one transfer: performs the sending and timing effects of transfer.ts on a connected socket and one timer.
 * Packets leave as data-packets.ts has them and are never copied here: that was most of a server's CPU.
 */
import type { DataPackets } from './data-packets';
import { encodeTftpError, encodeTftpPacket, type TftpOptionList } from './packet';
import type { TransferSocket } from './sockets';
import type { TransferEffect } from './transfer';

export interface OutletOptions {
  readonly socket: TransferSocket;
  readonly packets: DataPackets;
  readonly oack: TftpOptionList;
  readonly onTimeout: () => void;
}

export type OutletEffect = Exclude<TransferEffect, { kind: 'finish' }>;

export interface Outlet {
  perform(effect: OutletEffect): void;
  /** Gives back socket and timer. */
  close(): void;
}

export function createOutlet({ socket, packets, oack, onTimeout }: OutletOptions): Outlet {
  let timer: NodeJS.Timeout | undefined;
  let armedMs = 0;
  const sendBlocks = (first: number, last: number) => {
    for (let block = first; block <= last; block += 1) socket.send(packets(block));
  };
  const arm = (delayMs: number) => {
    // Every ACK arms the same delay again: refreshing is far cheaper than a new timer.
    if (timer !== undefined && delayMs === armedMs) {
      timer.refresh();
      return;
    }
    clearTimeout(timer);
    armedMs = delayMs;
    timer = setTimeout(onTimeout, delayMs);
  };
  return {
    perform(effect) {
      switch (effect.kind) {
        case 'send-oack':
          return socket.send([encodeTftpPacket({ kind: 'OACK', options: oack })]);
        case 'send-data':
          return sendBlocks(effect.first, effect.last);
        case 'send-error':
          return socket.send([encodeTftpError(effect.error)]);
        case 'arm':
          return arm(effect.delayMs);
      }
    },
    close() {
      clearTimeout(timer);
      socket.close();
    },
  };
}
