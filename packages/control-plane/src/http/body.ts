/**
 * Reads a JSON body: bounded in bytes and time, one media type, strict UTF-8, strict JSON.
 * What the fields mean is the schemas' business.
 */
import { LpmosError } from '@lpmos/core';
import { invalidRequest, readJson } from '@lpmos/api';
import type { IncomingMessage } from 'node:http';

export const MAX_BODY_BYTES = 64 * 1024;
/** A body of 64 KiB over a bad mobile link takes seconds; a client that needs longer is holding the socket. */
const BODY_DEADLINE_MS = 10_000;

/** @throws LpmosError `unsupported_media_type`, `too_large`, `deadline_exceeded`, `invalid_argument`. */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  requireJson(request);
  const bytes = await readBytes(request);
  const reading = readJson(decode(bytes));
  if (reading.kind === 'problems') throw invalidRequest(reading.problems);
  return reading.value;
}

function requireJson(request: IncomingMessage): void {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((each) => each.trim()).find((each) => each.startsWith('charset='));
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (type.trim() === 'application/json' && isUtf8(charset) && encoding === 'identity') return;
  throw new LpmosError({
    code: 'unsupported_media_type',
    message: 'The body must be sent as Content-Type: application/json in UTF-8, without Content-Encoding',
  });
}

function isUtf8(charset: string | undefined): boolean {
  return charset === undefined || /^charset="?utf-8"?$/.test(charset);
}

function readBytes(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => end(() => reject(tooSlow())), BODY_DEADLINE_MS);
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      finish();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) end(() => reject(tooLarge()));
      else chunks.push(chunk);
    };
    const onEnd = (): void => end(() => resolve(Buffer.concat(chunks)));
    const onBroken = (): void => end(() => reject(broken()));
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidRequest([{ path: '', problem: 'is not valid UTF-8' }]);
  }
}

function tooLarge(): LpmosError {
  return new LpmosError({
    code: 'too_large',
    message: `The body is over the limit of ${MAX_BODY_BYTES} bytes`,
  });
}

function tooSlow(): LpmosError {
  return new LpmosError({
    code: 'deadline_exceeded',
    message: `The body did not arrive within ${BODY_DEADLINE_MS / 1000} s`,
  });
}

function broken(): LpmosError {
  return new LpmosError({ code: 'invalid_argument', message: 'The connection ended before the body did' });
}
