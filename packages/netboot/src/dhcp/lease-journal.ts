/**
 * Leases that survive a restart: an append-only file of one line for each change, written and synced behind the answer.
 * `append` never waits and never throws. Lines that come while the disk is busy are written together with one sync; when too many wait,
 * they are dropped and the whole state is written anew instead, so a slow disk costs memory for one state and never an answer.
 * A process that is killed loses at most what it has not yet written; the clients keep their addresses all the same (lease-pool.ts).
 */
import { LpmosError } from '@lpmos/core';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, readJournal, syncDirectory } from './lease-journal-file';
import type { LeaseMirror } from './lease-mirror';
import { writeRecord } from './lease-record';
import type { Lease } from './lease-table';

export interface LeaseJournalProblem {
  readonly path: string;
  /** One sentence in words. */
  readonly problem: string;
}

export interface LeaseJournalOptions {
  /** Made when it is not there; one daemon alone writes in it. */
  readonly dir: string;
  readonly linkName: string;
  /** Damage that was found and set aside, a disk that refuses (told once) and its recovery. */
  readonly onProblem: (problem: LeaseJournalProblem) => void;
}

export interface LeaseJournal {
  /** As they were at the last start, in the order of their last change; see DhcpServerOptions.initialLeases. */
  readonly leases: readonly Lease[];
  readonly append: (lease: Lease) => void;
  /** Resolves when everything that was appended before is on disk (or the disk refused it). For tests and orderly ends. */
  readonly flushed: () => Promise<void>;
  /** Writes what waits, within a deadline. Safe to call twice. */
  readonly close: () => Promise<void>;
}

/** More waiting lines than this are cheaper to replace by the whole state. */
const MAX_WAITING_LINES = 8192;
/** The file may hold this many records more than twice what counts, before it is written anew. */
const COMPACT_SLACK_RECORDS = 4096;
/** Between two pieces of a compaction the event loop serves packets: 500 records are about a millisecond. */
const COMPACT_PIECE_RECORDS = 500;
/** On a fast disk every few leases had a write and a sync of their own, a fifth of all processor time at 2000 exchanges a second. */
const GATHER_MS = 10;
const RETRY_AFTER_MS = { first: 500, most: 30_000 } as const;
const CLOSE_WITHIN_MS = 5_000;

/** @throws LpmosError `unavailable` when the folder or the file cannot be opened. */
export async function openLeaseJournal(options: LeaseJournalOptions): Promise<LeaseJournal> {
  const path = join(options.dir, `leases-${encodeURIComponent(options.linkName)}.jsonl`);
  try {
    await mkdir(options.dir, { recursive: true });
    const read = await readJournal(path);
    if (read.problem !== undefined) options.onProblem({ path, problem: read.problem });
    const leases = [...read.mirror.values()];
    const writer = new JournalWriter({ path, mirror: read.mirror, onProblem: options.onProblem });
    await writer.begin(read.records, read.damaged);
    return {
      leases,
      append: (lease) => writer.append(lease),
      flushed: () => writer.flushed(),
      close: () => writer.close(),
    };
  } catch (thrown) {
    throw new LpmosError({
      code: 'unavailable',
      message: `The lease journal ${path} cannot be opened (${codeOf(thrown)}); make its folder writable for this daemon`,
      cause: thrown,
    });
  }
}

interface WriterOptions {
  readonly path: string;
  readonly mirror: LeaseMirror;
  readonly onProblem: (problem: LeaseJournalProblem) => void;
}

class JournalWriter {
  readonly #options: WriterOptions;
  #file: FileHandle | undefined;
  #waiting: string[] = [];
  /** The file is to be written anew: too much waits, it is damaged, or it has grown. */
  #rewrite = false;
  #records = 0;
  #running: Promise<void> | undefined;
  #failing = false;
  #retryMs: number = RETRY_AFTER_MS.first;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async begin(records: number, damaged: boolean): Promise<void> {
    this.#records = records;
    // A full disk that tore the journal must not keep the link from being served as well.
    if (damaged) await this.#writeAnew().catch((thrown: unknown) => this.#failed(thrown));
    else this.#file = await open(this.#options.path, 'a');
  }

  append(lease: Lease): void {
    if (this.#closed) return;
    this.#options.mirror.apply(lease);
    if (this.#waiting.length >= MAX_WAITING_LINES) {
      this.#waiting = [];
      this.#rewrite = true;
    }
    // While a rewrite is due, the state has it already.
    if (!this.#rewrite) this.#waiting.push(writeRecord(lease));
    this.#kick();
  }

  async flushed(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#hasWork()) this.#kick();
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      deadline = setTimeout(resolve, CLOSE_WITHIN_MS);
    });
    await Promise.race([this.flushed(), late]);
    clearTimeout(deadline);
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }

  #hasWork(): boolean {
    return this.#rewrite || this.#waiting.length > 0;
  }

  /** One writer at a time; it goes on as long as there is work. */
  #kick(): void {
    if (this.#running !== undefined || (this.#timer !== undefined && !this.#closed)) return;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
    });
  }

  async #drain(): Promise<void> {
    try {
      while (this.#hasWork()) {
        await this.#gather();
        if (this.#rewrite || this.#file === undefined) await this.#writeAnew();
        else await this.#writeWaiting(this.#file);
        if (this.#records > 2 * this.#options.mirror.size + COMPACT_SLACK_RECORDS) this.#rewrite = true;
      }
      this.#recovered();
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  /** Answers go out first, and what comes meanwhile shares the write. */
  #gather(): Promise<void> {
    return new Promise((go) => (this.#closed ? setImmediate(go) : setTimeout(go, GATHER_MS)));
  }

  async #writeWaiting(file: FileHandle): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = [];
    await file.appendFile(lines.join(''));
    await file.datasync();
    this.#records += lines.length;
  }

  /** Beside the old file and renamed over it: at every moment one whole journal has the name. */
  async #writeAnew(): Promise<void> {
    const { path, mirror } = this.#options;
    const fresh = `${path}.new`;
    this.#rewrite = false;
    this.#waiting = [];
    const file = await open(fresh, 'w');
    try {
      this.#records = await writeState(file, mirror);
      await file.datasync();
      await rename(fresh, path);
      await syncDirectory(dirname(path));
    } catch (thrown) {
      await file.close().catch(() => undefined);
      throw thrown;
    }
    const old = this.#file;
    this.#file = file;
    await old?.close();
  }

  #failed(thrown: unknown): void {
    // Half a line may be in the file now; only writing it anew makes it whole.
    this.#rewrite = true;
    this.#waiting = [];
    const { path, onProblem } = this.#options;
    if (!this.#failing) {
      onProblem({
        path,
        problem: `leases are not being saved (${codeOf(thrown)}); they live in memory, and writing is tried again`,
      });
    }
    this.#failing = true;
    if (this.#closed) {
      this.#rewrite = false;
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#kick();
    }, this.#retryMs);
    this.#timer.unref();
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_AFTER_MS.most);
  }

  #recovered(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#retryMs = RETRY_AFTER_MS.first;
    this.#options.onProblem({ path: this.#options.path, problem: 'leases are saved again' });
  }
}

/** Changes that come meanwhile wait as lines and follow the state, which may have some of them already: replaying one twice is harmless. */
async function writeState(file: FileHandle, mirror: LeaseMirror): Promise<number> {
  // A copy: renewals move records to the end of the mirror, and a walk of the living map could then go on for ever.
  const state = [...mirror.values()];
  for (let from = 0; from < state.length; from += COMPACT_PIECE_RECORDS) {
    const piece = state.slice(from, from + COMPACT_PIECE_RECORDS);
    await file.appendFile(piece.map(writeRecord).join(''));
  }
  return state.length;
}
