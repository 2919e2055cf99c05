/**
 * A TCP link that a test can break in the ways real ones break: cut (connections reset, new ones refused), mended,
 * and frozen (connections stay open and carry nothing, as behind a dead firewall), which closing sockets would hide.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface TcpLink {
  /** http://127.0.0.1:port, in front of the target. */
  readonly endpoint: string;
  /** Resets every connection; new ones are reset too until `mend`. */
  cut(): void;
  /** New connections pass again. Frozen ones stay frozen for ever. */
  mend(): void;
  /** Every connection of now carries nothing any more, in either direction, and is not closed. */
  freeze(): void;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

export async function createTcpLink(targetPort: number): Promise<TcpLink> {
  const pairs = new Set<Pair>();
  let whole = true;
  const server = createServer((near) => {
    near.on('error', () => undefined);
    if (!whole) return void near.resetAndDestroy();
    const far = connect(targetPort, '127.0.0.1');
    const pair: Pair = { near, far };
    pairs.add(pair);
    const drop = (): void => {
      if (!pairs.delete(pair)) return;
      near.resetAndDestroy();
      far.resetAndDestroy();
    };
    far.on('error', drop);
    for (const end of [near, far]) end.on('close', drop);
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const destroyAll = (): void => {
    for (const { near, far } of [...pairs]) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    pairs.clear();
  };
  const frozen: Pair[] = [];
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      whole = false;
      destroyAll();
    },
    mend: () => {
      whole = true;
    },
    freeze: () => {
      for (const pair of pairs) {
        pair.near.unpipe(pair.far).pause();
        pair.far.unpipe(pair.near).pause();
        frozen.push(pair);
      }
    },
    close: async () => {
      destroyAll();
      for (const { near, far } of frozen) {
        near.destroy();
        far.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
