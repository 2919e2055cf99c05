/**
 * The body of a download: two buffers for each response, one being read into while the other is with the kernel.
 * A buffer is used again only after the write's callback: `write` returns before the bytes have left it.
 * Back-pressure is that wait; a client that stops reading is dropped by the server's socket timeout, which ends the wait.
 * Never a short success: a file that is truncated or changed under way ends with a broken connection, not with an end.
 */
import type { Writable } from 'node:stream';
import type { OpenAsset } from './asset-files';

/** Larger reads gain nothing and smaller ones cost system calls (measured). */
const MAX_CHUNK_BYTES = 512 * 1024;
const MIN_CHUNK_BYTES = 64 * 1024;
/** What all buffers of all downloads take together, but for the smallest buffers of those that come when it is used up. */
const BUFFER_BUDGET_BYTES = 96 * 1024 * 1024;
/** Of what is left of the budget, a new download takes this part at most: some hundreds of slow readers share it. */
const SHARE_OF_REST = 1 / 32;

/**
 * Bytes of each of the two buffers of a new download. By what the running ones hold and not by their number: buffers that
 * were given out when few ran stay large while hundreds of slow readers come.
 */
export function chunkBytes(heldBytes: number, lengthBytes: number): number {
  const share = Math.floor((BUFFER_BUDGET_BYTES - heldBytes) * SHARE_OF_REST);
  const chunk = Math.min(Math.max(share, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES);
  return Math.max(Math.min(chunk, lengthBytes), 1);
}

export interface SendOptions {
  readonly asset: OpenAsset;
  readonly first: number;
  readonly lengthBytes: number;
  readonly chunkBytes: number;
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
export async function sendBody(options: SendOptions): Promise<void> {
  const { asset, first, lengthBytes } = options;
  const buffers: Uint8Array[] = [];
  let inFlight: Promise<void> = Promise.resolve();
  let done = 0;
  for (let turn = 0; done < lengthBytes; turn += 1) {
    const buffer = (buffers[turn % 2] ??= Buffer.allocUnsafeSlow(options.chunkBytes));
    const piece = buffer.subarray(0, Math.min(buffer.length, lengthBytes - done));
    const bytesRead = await asset.read(piece, first + done);
    if (bytesRead < piece.length) throw new Error('the file became shorter while it was sent');
    done += piece.length;
    // Asked before the last piece leaves, so that a changed file can still be turned into a failure.
    if (done === lengthBytes && !(await asset.unchanged()))
      throw new Error('the file changed while it was sent');
    await inFlight;
    inFlight = write(options.to, piece, options.gone).then(() => options.onSent(piece.length));
    // Awaited in the next turn; until then a failure must not count as unhandled.
    inFlight.catch(() => undefined);
  }
  await inFlight;
}

function write(to: Writable, piece: Uint8Array, gone: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const left = () => reject(new Error('the client closed the connection or stopped reading'));
    if (gone.aborted) {
      left();
      return;
    }
    gone.addEventListener('abort', left, { once: true });
    to.write(piece, (error) => {
      gone.removeEventListener('abort', left);
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}
