import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLE_NOW_MS } from '@lpmos/core/testing';
import { temporaryFolder } from '../testing/region-fixtures';
import { openUsedTickets } from './used-tickets';

const folder = temporaryFolder();
const open = (nowMs = EXAMPLE_NOW_MS) => openUsedTickets({ stateDir: folder(), nowMs: () => nowMs });
const ticket = (nonce: string) => ({ nonce, expiresAtSeconds: EXAMPLE_NOW_MS / 1000 + 60 });

describe('used tickets', () => {
  it('let one agent in, as often as it asks, and no other', () => {
    const used = open();
    expect(used.claim(ticket('a'), 'agent1')).toBe(true);
    expect(used.claim(ticket('a'), 'agent1')).toBe(true);
    expect(used.claim(ticket('a'), 'agent2')).toBe(false);
    expect(used.claim(ticket('b'), 'agent2')).toBe(true);
    used.close();
  });

  it('are remembered over a restart and a kill', () => {
    const killed = open();
    killed.claim(ticket('a'), 'agent1');
    const after = open();
    expect([after.claim(ticket('a'), 'agent2'), after.claim(ticket('a'), 'agent1')]).toEqual([false, true]);
    killed.close();
    after.close();
  });

  it('survive a torn last line: what was whole stays, what is torn was never accepted', () => {
    const used = open();
    used.claim(ticket('a'), 'agent1');
    used.close();
    appendFileSync(join(folder(), 'used-tickets'), 'b agent1 17');
    const after = open();
    expect(after.claim(ticket('a'), 'agent2')).toBe(false);
    expect(after.claim(ticket('b'), 'agent2')).toBe(true);
    after.close();
    const again = open();
    expect(again.claim(ticket('b'), 'agent1')).toBe(false);
    again.close();
  });

  it('are forgotten once their ticket has expired anyway', () => {
    const used = open();
    used.claim(ticket('a'), 'agent1');
    used.close();
    open(EXAMPLE_NOW_MS + 61_000).close();
    expect(readFileSync(join(folder(), 'used-tickets'), 'utf8')).toBe('');
  });

  it('are in the file before the claim is answered, for their owner alone', () => {
    const used = open();
    used.claim(ticket('a'), 'agent1');
    expect(readFileSync(join(folder(), 'used-tickets'), 'utf8')).toMatch(/^a agent1 \d+\n$/);
    expect(statSync(join(folder(), 'used-tickets')).mode & 0o777).toBe(0o600);
    used.close();
  });
});
