/**
 * HTTP downloads as firmware and agents do them: GET over a fresh connection, every byte read, Content-Length checked. Deadlines on
 * silence, not on size. What the bytes are for is the caller's: they are handed on as they come.
 */
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import { createHash } from 'node:crypto';

export interface HttpDownloadOptions {
  readonly url: string;
  readonly signal: AbortSignal;
  /** Of nothing heard, from the connect on. */
  readonly silenceMs: number;
  /** Kept in memory up to this; longer bodies are only counted and hashed. */
  readonly keepBytes: number;
  /** Source address of the connection. */
  readonly clientAddress?: string;
  readonly userAgent: string;
}

export interface HttpDownload {
  readonly bytes: number;
  readonly sha256: string;
  /** The body when it was at most `keepBytes` long. */
  readonly body?: Uint8Array;
}

export class DownloadError extends Error {
  constructor(url: string, problem: string, cause?: unknown) {
    super(`GET ${url}: ${problem}`, cause === undefined ? undefined : { cause });
    this.name = 'DownloadError';
  }
}

/** @throws DownloadError for anything but a complete 200; the signal's reason when it aborts. */
export async function downloadByHttp(options: HttpDownloadOptions): Promise<HttpDownload> {
  const response = await openDownload(options);
  const hash = createHash('sha256');
  const kept: Uint8Array[] = [];
  let bytes = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes <= options.keepBytes) kept.push(chunk);
      else kept.length = 0;
      done();
    },
  });
  try {
    await pipeline(response, sink, { signal: options.signal });
  } catch (thrown) {
    options.signal.throwIfAborted();
    throw new DownloadError(options.url, messageOf(thrown), thrown);
  }
  checkLength(options.url, response, bytes);
  const sha256 = hash.digest('hex');
  return bytes <= options.keepBytes ? { bytes, sha256, body: Buffer.concat(kept) } : { bytes, sha256 };
}

/** The answer's head, with the body still to be read. @throws DownloadError unless the status is 200, or 206 when `range` asks. */
export function openDownload(
  options: Omit<HttpDownloadOptions, 'keepBytes'> & {
    readonly fromByte?: number;
    /** ETag of the first answer: a file that changed meanwhile comes back whole, and that is an error here. */
    readonly ifRange?: string;
  },
): Promise<IncomingMessage> {
  const { url, signal, fromByte = 0 } = options;
  signal.throwIfAborted();
  const wanted = fromByte > 0 ? 206 : 200;
  return new Promise((resolve, reject) => {
    const fail = (thrown: unknown): void => {
      if (signal.aborted) reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      else reject(new DownloadError(url, messageOf(thrown), thrown));
    };
    if (!url.startsWith('http://')) {
      reject(new DownloadError(url, 'this firmware speaks plain http only'));
      return;
    }
    const request = get(url, {
      agent: false,
      signal,
      timeout: options.silenceMs,
      headers: {
        'user-agent': options.userAgent,
        ...(fromByte > 0 ? { range: `bytes=${fromByte}-` } : {}),
        ...(fromByte > 0 && options.ifRange !== undefined ? { 'if-range': options.ifRange } : {}),
      },
      ...(options.clientAddress === undefined ? {} : { localAddress: options.clientAddress }),
    });
    request.on('timeout', () => request.destroy(new Error(`nothing was heard for ${options.silenceMs} ms`)));
    request.on('error', fail);
    request.on('response', (response) => {
      if (response.statusCode === wanted) resolve(response);
      else {
        response.destroy();
        fail(new Error(`status ${response.statusCode}, wanted ${wanted}`));
      }
    });
  });
}

/** iPXE and kernels trust Content-Length; a body without one cannot be told from a cut one. */
function checkLength(url: string, response: IncomingMessage, bytes: number): void {
  const announced = response.headers['content-length'];
  if (announced === undefined) throw new DownloadError(url, 'the answer has no Content-Length');
  if (Number(announced) !== bytes) {
    throw new DownloadError(url, `Content-Length is ${announced} and ${bytes} bytes came`);
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
