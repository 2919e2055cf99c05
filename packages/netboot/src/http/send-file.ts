/**
 * The body of a download: one piece is with the kernel while the next one is being read. A piece comes from the blocks
 * that all downloads of a file share (shared-blocks.ts) or, where there is none left or the client is slow, from one of
 * two buffers of the download's own. Its bytes are given up only after the write's callback: `write` returns before they
 * have left. Back-pressure is that wait; a client that stops reading is dropped by the server's socket timeout, which ends it.
 * Never a short success: a file that is truncated or changed under way ends with a broken connection, not with an end.
 */
import type { Writable } from 'node:stream';
import type { OpenAsset } from './asset-files';
import { BLOCK_BYTES, type BlockReader, type Piece } from './shared-blocks';

const MIN_CHUNK_BYTES = 64 * 1024;
/** What the own buffers of all downloads take together, but for the smallest buffers of those that come when it is used up. */
const BUFFER_BUDGET_BYTES = 48 * 1024 * 1024;
/** Of what is left of the budget, a new download takes this part at most: some hundreds of slow readers share it. */
const SHARE_OF_REST = 1 / 32;

/**
 * Bytes of each of the two buffers of a new download. By what the running ones hold and not by their number: buffers that
 * were given out when few ran stay large while hundreds of slow readers come.
 */
export function chunkBytes(heldBytes: number, lengthBytes: number): number {
  const share = Math.floor((BUFFER_BUDGET_BYTES - heldBytes) * SHARE_OF_REST);
  const chunk = Math.min(Math.max(share, MIN_CHUNK_BYTES), BLOCK_BYTES);
  return Math.max(Math.min(chunk, lengthBytes), 1);
}

/** Lends bytes of the asset: never more than two pieces at once, and the older one is given back first. */
export interface PieceSource {
  /** At least one byte. @throws Error when the file has become shorter. */
  next(position: number, most: number): Promise<Piece>;
  /** Bytes of the buffers that are its own. */
  ownBytes(): number;
}

export function createPieces(options: {
  readonly asset: OpenAsset;
  readonly shared: BlockReader | undefined;
  /** Asked when buffers of its own are first needed. */
  readonly chunkBytes: () => number;
  /** The client has been slow. */
  readonly slow: () => boolean;
}): PieceSource {
  const { asset, shared } = options;
  const buffers: Uint8Array[] = [];
  let chunk = 0;
  let turn = 0;
  const own = async (position: number, most: number): Promise<Piece> => {
    if (chunk === 0) chunk = options.chunkBytes();
    turn = 1 - turn;
    const buffer = (buffers[turn] ??= Buffer.allocUnsafeSlow(chunk));
    const bytes = buffer.subarray(0, Math.min(chunk, most));
    return { bytes: bytes.subarray(0, await asset.read(bytes, position)), release: () => undefined };
  };
  return {
    async next(position, most) {
      const lent = options.slow() ? undefined : shared?.take(position, most);
      const piece = await (lent ?? own(position, most));
      if (piece.bytes.length > 0) return piece;
      piece.release();
      throw new Error('the file became shorter while it was sent');
    },
    ownBytes: () => 2 * chunk,
  };
}

export interface SendOptions {
  readonly asset: Pick<OpenAsset, 'unchanged'>;
  readonly pieces: Pick<PieceSource, 'next'>;
  readonly first: number;
  readonly lengthBytes: number;
  readonly to: Writable;
  /**
   * Aborted when the connection closes. The stream alone does not tell: an answer that waits behind another one on
   * its connection (pipelining) has no socket yet, and its writes would wait for ever.
   */
  readonly gone: AbortSignal;
  /** Told after each piece that the kernel took. */
  readonly onSent: (bytes: number) => void;
}

/** Resolves when the last byte is with the kernel. @throws Error with the reason when the body cannot be completed. */
export async function sendBody({ pieces, to, onSent, ...options }: SendOptions): Promise<void> {
  const end = options.first + options.lengthBytes;
  const gone = listen(options.gone);
  let position = options.first;
  let ahead = pieces.next(position, options.lengthBytes);
  try {
    while (position < end) {
      const piece = await ahead;
      position += piece.bytes.length;
      // Asked before the last piece leaves, so that a changed file can still be turned into a failure.
      if (position === end && !(await options.asset.unchanged())) {
        piece.release();
        throw new Error('the file changed while it was sent');
      }
      if (position < end) ahead = pieces.next(position, end - position);
      // Awaited in the next turn; until then a failure must not count as unhandled.
      ahead.catch(() => undefined);
      try {
        await write(to, piece.bytes, gone);
      } finally {
        piece.release();
      }
      onSent(piece.bytes.length);
    }
  } finally {
    gone.end();
    await ahead.then(
      (piece) => piece.release(),
      () => undefined,
    );
  }
}

interface Departure {
  /** Called when the client leaves; at once if it has left. */
  then(left: (() => void) | undefined): void;
  end(): void;
}

/** One listener for the whole download: adding one for each piece costs more than the piece. */
function listen(signal: AbortSignal): Departure {
  let waiting: (() => void) | undefined;
  const onAbort = () => waiting?.();
  signal.addEventListener('abort', onAbort);
  return {
    then(left) {
      waiting = left;
      if (signal.aborted) left?.();
    },
    end: () => signal.removeEventListener('abort', onAbort),
  };
}

function write(to: Writable, bytes: Uint8Array, gone: Departure): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = false;
    gone.then(() => {
      left = true;
      reject(new Error('the client closed the connection or stopped reading'));
    });
    if (left) return;
    to.write(bytes, (error) => {
      gone.then(undefined);
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}
