import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLE_NOW_MS } from '@lpmos/core/testing';
import { temporaryFolder } from '../testing/region-fixtures';
import { openUsedTickets } from './used-tickets';

const folder = temporaryFolder();
const open = () => openUsedTickets({ stateDir: folder() });
const ticket = (nonce: string) => ({ nonce, expiresAtSeconds: EXAMPLE_NOW_MS / 1000 + 60 });

describe('used tickets', () => {
  it('let one agent in, as often as it asks, and no other', async () => {
    const used = await open();
    expect(await used.claim(ticket('a'), 'agent1')).toBe(true);
    expect(await used.claim(ticket('a'), 'agent1')).toBe(true);
    expect(await used.claim(ticket('a'), 'agent2')).toBe(false);
    expect(await used.claim(ticket('b'), 'agent2')).toBe(true);
    await used.close();
  });

  it('are remembered over a restart and a kill', async () => {
    const killed = await open();
    await killed.claim(ticket('a'), 'agent1');
    const after = await open();
    expect([await after.claim(ticket('a'), 'agent2'), await after.claim(ticket('a'), 'agent1')]).toEqual([
      false,
      true,
    ]);
    await killed.close();
    await after.close();
  });

  it('survive a torn last line: what was whole stays, what is torn was never accepted', async () => {
    const used = await open();
    await used.claim(ticket('a'), 'agent1');
    await used.close();
    appendFileSync(join(folder(), 'used-tickets'), 'b agent1 17');
    const after = await open();
    expect(await after.claim(ticket('a'), 'agent2')).toBe(false);
    expect(await after.claim(ticket('b'), 'agent2')).toBe(true);
    await after.close();
    const again = await open();
    expect(await again.claim(ticket('b'), 'agent1')).toBe(false);
    await again.close();
  });

  it('are remembered whatever the clock says, which may be wrong while a host starts', async () => {
    const used = await open();
    await used.claim({ nonce: 'a', expiresAtSeconds: 1 }, 'agent1');
    await used.close();
    const after = await open();
    expect(await after.claim(ticket('a'), 'agent2')).toBe(false);
    await after.close();
  });

  it('are the newest hundred thousand', async () => {
    await (await open()).close();
    const lines = Array.from({ length: 100_002 }, (_none, index) => `t${index} agent1 1700000000\n`);
    writeFileSync(join(folder(), 'used-tickets'), lines.join(''));
    const used = await open();
    expect(await used.claim(ticket('t1'), 'agent2')).toBe(true);
    expect(await used.claim(ticket('t100001'), 'agent2')).toBe(false);
    await used.close();
  });

  it('are in the file before the claim is answered, for their owner alone', async () => {
    const used = await open();
    await used.claim(ticket('a'), 'agent1');
    expect(readFileSync(join(folder(), 'used-tickets'), 'utf8')).toMatch(/^a agent1 \d+\n$/);
    expect(statSync(join(folder(), 'used-tickets')).mode & 0o777).toBe(0o600);
    await used.close();
  });

  it('let a rack in together: each claim is on the disk when it is answered, and a thief is refused at once', async () => {
    const used = await open();
    const written = () => readFileSync(join(folder(), 'used-tickets'), 'utf8');
    const claims = Array.from({ length: 500 }, async (_none, index) => {
      const mine = await used.claim(ticket(`t${index}`), `agent${index}`);
      return mine && written().includes(`t${index} agent${index} `);
    });
    const thief = used.claim(ticket('t0'), 'thief');
    const again = used.claim(ticket('t0'), 'agent0');
    expect(await thief).toBe(false);
    expect(new Set(await Promise.all(claims))).toEqual(new Set([true]));
    expect(await again).toBe(true);
    expect(written().split('\n').filter(Boolean)).toHaveLength(500);
    await used.close();
  });

  it('are unused when they cannot be written down', async () => {
    const used = await open();
    await used.close();
    await expect(used.claim(ticket('a'), 'agent1')).rejects.toThrow(/closed|EBADF/);
    await expect(used.claim(ticket('a'), 'agent2')).rejects.toThrow(/closed|EBADF/);
  });
});
