/**
 * Which agent process used which ticket. Kept in an append-only file that is fsynced before the ticket counts as accepted,
 * so that a restart of the daemon does not make a used ticket fresh. Entries end with their ticket's lifetime.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

interface Use {
  readonly agentNonce: string;
  readonly expiresAtSeconds: number;
}

export interface UsedTickets {
  /** True when the ticket was unused or was used by this very agent process; false when another one had it. */
  claim(ticket: { readonly nonce: string; readonly expiresAtSeconds: number }, agentNonce: string): boolean;
  close(): void;
}

/** Far above a day of boots of a region; at the bound the oldest entries go, which are the next to expire. */
const MOST_ENTRIES = 100_000;

export function openUsedTickets(options: {
  readonly stateDir: string;
  readonly nowMs: () => number;
}): UsedTickets {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const path = join(options.stateDir, 'used-tickets');
  const uses = readUses(path, options.nowMs() / 1000);
  rewrite(path, uses);
  const file = openSync(path, 'a', 0o600);
  return {
    claim({ nonce, expiresAtSeconds }, agentNonce) {
      const earlier = uses.get(nonce);
      if (earlier !== undefined) return earlier.agentNonce === agentNonce;
      writeSync(file, line(nonce, { agentNonce, expiresAtSeconds }));
      fsyncSync(file);
      uses.set(nonce, { agentNonce, expiresAtSeconds });
      if (uses.size > MOST_ENTRIES) uses.delete(uses.keys().next().value ?? '');
      return true;
    },
    close: () => closeSync(file),
  };
}

function readUses(path: string, nowSeconds: number): Map<string, Use> {
  const uses = new Map<string, Use>();
  for (const text of readOrEmpty(path).split('\n')) {
    const [nonce = '', agentNonce = '', expires = ''] = text.split(' ');
    const expiresAtSeconds = Number(expires);
    // A crash may leave a torn last line; it has no valid expiry and its ticket was never accepted.
    if (nonce === '' || expires === '' || !(expiresAtSeconds >= nowSeconds)) continue;
    uses.set(nonce, { agentNonce, expiresAtSeconds });
  }
  return uses;
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
