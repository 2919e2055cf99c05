/**
 * Where log lines go: standard error, gathered for one turn of the event loop and then written at once. A write to the pipe of
 * a journal wakes its reader and costs more than making the line; in a boot storm one turn holds dozens of lines.
 * What can be lost by a kill -9 is what the turn has logged so far, and never more than BATCH_BYTES; an exit, asked for or by
 * an uncaught error, writes all. Lines stay in order. A log that cannot be written never stops the program: lines are then
 * dropped, and their number is the first thing in the log when it can be written again.
 */
import { writeSync } from 'node:fs';

/** From here on lines are written before the turn ends. */
const BATCH_BYTES = 64 * 1024;
/** A full pipe that does not block is given this long, because nothing else happens meanwhile; once it was too long, no more. */
const FULL_PIPE_TRIES = 5;
const FULL_PIPE_WAIT_MS = 10;
const STANDARD_ERROR = 2;

export interface LineSink {
  write(line: string): void;
  /** All that was gathered. */
  flush(): void;
}

export interface LinePort {
  /** @returns how many bytes were taken. @throws Error with `code` */
  readonly write: (bytes: Uint8Array) => number;
  /** Runs a function when this turn's work is done. */
  readonly later: (flush: () => void) => void;
  readonly wait: (ms: number) => void;
}

export function createLineSink(port: LinePort): LineSink {
  let lines: string[] = [];
  let length = 0;
  let due = false;
  let lost = 0;
  let cut = false;
  const flush = () => {
    due = false;
    if (lines.length === 0) return;
    const batch = lines;
    lines = [];
    length = 0;
    const notice = lost === 0 ? '' : `{"level":"warn","msg":"${lost} log lines could not be written"}\n`;
    const bytes = Buffer.from(`${cut ? '\n' : ''}${notice}${batch.join('')}`);
    const written = writeAll(port, bytes, lost === 0 ? FULL_PIPE_TRIES : 0);
    const whole = written === bytes.length;
    lost = whole ? 0 : lost + batch.length;
    cut = whole ? false : cut || written > 0;
  };
  return {
    write(line) {
      lines.push(line);
      length += line.length;
      if (length >= BATCH_BYTES) flush();
      else if (!due) {
        due = true;
        port.later(flush);
      }
    },
    flush,
  };
}

/** @returns how much was written before it failed, or all. */
function writeAll({ write, wait }: LinePort, bytes: Uint8Array, mostTries: number): number {
  let written = 0;
  let tries = 0;
  while (written < bytes.length) {
    try {
      written += write(bytes.subarray(written));
      tries = 0;
    } catch (error) {
      tries += 1;
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || tries > mostTries) return written;
      wait(FULL_PIPE_WAIT_MS);
    }
  }
  return written;
}

let shared: LineSink | undefined;

/** One for the process: two of them would mix the order of their lines. */
export function standardErrorLines(): LineSink {
  if (shared !== undefined) return shared;
  const sink = createLineSink({
    write: (bytes) => writeSync(STANDARD_ERROR, bytes),
    later: setImmediate,
    // There is no other way to wait without giving up the turn, and at an exit there is no other turn.
    wait: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  });
  process.once('exit', sink.flush);
  shared = sink;
  return sink;
}
