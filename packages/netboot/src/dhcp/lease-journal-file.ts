/**
 * Reads a lease journal back, whatever state it is in: torn by a crash, rotten, from a newer version, or no journal at all.
 * What cannot be read is set aside beside the journal, as far as the disk takes it, and is never a reason not to start: the disk that tore a
 * record is often the full one. Bounded in memory and on disk.
 * Our own file is input like any other: servers have fallen over theirs (CVE-2021-25217).
 */
import { appendFile, open, rename, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { LeaseMirror } from './lease-mirror';
import { MAX_RECORD_BYTES, readRecord } from './lease-record';

export interface JournalRead {
  readonly mirror: LeaseMirror;
  /** Readable records, those that no longer count included. */
  readonly records: number;
  /** Something was set aside, or the last line lacks its end: the file must be written anew before it is appended to. */
  readonly damaged: boolean;
  /** One sentence, when something was set aside. */
  readonly problem?: string;
}

/** Twice the largest journal that compaction lets grow; more than that we did not write. */
const MAX_JOURNAL_BYTES = 128 * 1024 * 1024;
/** Enough to see what happened; a rotten disk must not fill itself. */
const MAX_QUARANTINE_BYTES = 4 * 1024 * 1024;

export async function readJournal(path: string): Promise<JournalRead> {
  const mirror = new LeaseMirror();
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) return { mirror, records: 0, damaged: false };
  if (size > MAX_JOURNAL_BYTES) {
    await rename(path, quarantineOf(path));
    const problem = `the lease journal has ${size} bytes, which this daemon never writes; it was renamed to ${quarantineOf(path)}`;
    return { mirror, records: 0, damaged: true, problem };
  }
  return replay(path, mirror);
}

async function replay(path: string, mirror: LeaseMirror): Promise<JournalRead> {
  const aside = quarantine(path);
  let records = 0;
  let at = 0;
  let complete = true;
  for await (const { line, ended } of linesOf(path)) {
    at += 1;
    complete = ended;
    const record = readRecord(line.toString('latin1'));
    if (record.kind === 'lease') {
      records += 1;
      mirror.apply(record.lease);
    } else {
      await aside.add(line, `line ${at}: ${ended ? record.problem : 'cut short'}`);
    }
  }
  const problem = aside.summary();
  return {
    mirror,
    records,
    damaged: !complete || problem !== undefined,
    ...(problem === undefined ? {} : { problem }),
  };
}

interface Line {
  readonly line: Buffer;
  readonly ended: boolean;
}

/** Lines as bytes; a line that is too long to be a record comes cut, so that memory stays bounded. */
async function* linesOf(path: string): AsyncGenerator<Line> {
  const limit = 2 * MAX_RECORD_BYTES;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const part = chunk.subarray(from, end);
      yield { line: rest.length === 0 ? part.subarray(0, limit) : joined(rest, part, limit), ended: true };
      rest = Buffer.alloc(0);
      from = end + 1;
    }
    if (from < chunk.length) rest = joined(rest, chunk.subarray(from), limit);
  }
  if (rest.length > 0) yield { line: rest, ended: false };
}

function joined(head: Buffer, tail: Buffer, limit: number): Buffer {
  return Buffer.concat([head, tail.subarray(0, Math.max(0, limit - head.length))]);
}

export function quarantineOf(path: string): string {
  return `${path}.quarantine`;
}

function quarantine(path: string) {
  const target = quarantineOf(path);
  let count = 0;
  let first = '';
  let room: number | undefined;
  let refusal: string | undefined;
  const keep = async (line: Buffer): Promise<void> => {
    room ??= MAX_QUARANTINE_BYTES - ((await stat(target).catch(() => undefined))?.size ?? 0);
    room -= line.length + 1;
    if (room >= 0) await appendFile(target, Buffer.concat([line, Buffer.from('\n')]));
  };
  return {
    async add(line: Buffer, what: string): Promise<void> {
      count += 1;
      if (count === 1) first = what;
      // A disk that refused one refuses the rest, and a rotten journal has many.
      if (refusal === undefined) await keep(line).catch((thrown: unknown) => (refusal = codeOf(thrown)));
    },
    summary(): string | undefined {
      if (count === 0) return undefined;
      const where =
        refusal === undefined
          ? `were set aside in ${target}`
          : `could not be set aside in ${target} either (${refusal})`;
      return `${count} record(s) of the lease journal could not be read and ${where}; the first: ${first}`;
    },
  };
}

/** Makes a rename or a new file survive a power cut. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The system's word for what it refused, such as ENOSPC. */
export function codeOf(thrown: unknown): string {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string') {
    return thrown.code;
  }
  return thrown instanceof Error ? thrown.message.slice(0, 200) : 'unknown';
}
