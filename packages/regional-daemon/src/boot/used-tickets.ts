/**
 * Which agent process used which ticket. Kept in an append-only file that is synced before the ticket counts as accepted,
 * so that a restart of the daemon does not make a used ticket fresh. The newest are kept by number and not by time: a host whose clock
 * is wrong until it has asked for the time would forget tickets that are valid again as soon as it is right.
 * Agents that come together share one write and one sync, off the event loop: a rack that reports at once must not keep DHCP waiting.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

interface Use {
  readonly agentNonce: string;
  readonly expiresAtSeconds: number;
  /** Settles when the use is on the disk; absent for those that were there at the start. */
  readonly durable?: Promise<void>;
}

export interface UsedTickets {
  /**
   * True when the ticket was unused or was used by this very agent process, and that is on the disk; false when another one had it.
   * Rejects when it cannot be written; the ticket is then unused.
   */
  claim(
    ticket: { readonly nonce: string; readonly expiresAtSeconds: number },
    agentNonce: string,
  ): Promise<boolean>;
  /** What was claimed is written. */
  close(): Promise<void>;
}

/** Far above a day of boots of a region; beyond it the oldest go, whose tickets expired long ago. */
const MOST_ENTRIES = 100_000;

export async function openUsedTickets(options: { readonly stateDir: string }): Promise<UsedTickets> {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const path = join(options.stateDir, 'used-tickets');
  const uses = readUses(path);
  rewrite(path, uses);
  const lines = durableLines(await open(path, 'a', 0o600));
  return {
    async claim({ nonce, expiresAtSeconds }, agentNonce) {
      const earlier = uses.get(nonce);
      if (earlier !== undefined) {
        // Decided at once for another agent; the same one is let in when its first claim is safe.
        if (earlier.agentNonce === agentNonce) await earlier.durable;
        return earlier.agentNonce === agentNonce;
      }
      const durable = lines.append(line(nonce, { agentNonce, expiresAtSeconds }));
      uses.set(nonce, { agentNonce, expiresAtSeconds, durable });
      forgetOldest(uses);
      try {
        await durable;
      } catch (thrown) {
        uses.delete(nonce);
        throw thrown;
      }
      return true;
    },
    close: lines.close,
  };
}

/** Group commit: while one batch is on its way to the disk, the next one gathers. */
function durableLines(file: FileHandle): {
  append(text: string): Promise<void>;
  close(): Promise<void>;
} {
  let gathering: { text: string; readonly written: Promise<void> } | undefined;
  let last: Promise<void> = Promise.resolve();
  let isTorn = false;
  const write = async (text: string): Promise<void> => {
    try {
      // After a write that failed half-way its rest must not spoil the next line.
      await file.appendFile(isTorn ? `\n${text}` : text);
      await file.datasync();
      isTorn = false;
    } catch (thrown) {
      isTorn = true;
      throw thrown;
    }
  };
  return {
    append(text) {
      if (gathering !== undefined) {
        gathering.text += text;
        return gathering.written;
      }
      const previous = last;
      const start = async (): Promise<void> => {
        await previous.catch(() => undefined);
        const all = gathering?.text ?? '';
        gathering = undefined;
        await write(all);
      };
      gathering = { text, written: Promise.resolve().then(start) };
      last = gathering.written;
      return last;
    },
    async close() {
      await last.catch(() => undefined);
      await file.close();
    },
  };
}

function readUses(path: string): Map<string, Use> {
  const uses = new Map<string, Use>();
  // What stands behind the last line end is empty, or was torn by a crash: its ticket was never accepted.
  for (const text of readOrEmpty(path).split('\n').slice(0, -1)) {
    const [nonce = '', agentNonce = '', expires = ''] = text.split(' ');
    if (nonce === '' || !/^\d+$/.test(expires)) continue;
    uses.delete(nonce);
    uses.set(nonce, { agentNonce, expiresAtSeconds: Number(expires) });
    forgetOldest(uses);
  }
  return uses;
}

function forgetOldest(uses: Map<string, Use>): void {
  if (uses.size > MOST_ENTRIES) uses.delete(uses.keys().next().value ?? '');
}

function rewrite(path: string, uses: ReadonlyMap<string, Use>): void {
  const temporary = `${path}.new`;
  const text = [...uses].map(([nonce, use]) => line(nonce, use)).join('');
  writeFileSync(temporary, text, { mode: 0o600, flush: true });
  renameSync(temporary, path);
}

function line(nonce: string, use: Use): string {
  return `${nonce} ${use.agentNonce} ${use.expiresAtSeconds}\n`;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw thrown;
  }
}
