import type { MacAddress } from '@lpmos/core';
import fc from 'fast-check';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { LeaseJournal, LeaseJournalProblem } from './lease-journal';
import { openLeaseJournal } from './lease-journal';
import { LeaseMirror } from './lease-mirror';
import { readRecord, writeRecord } from './lease-record';
import type { Lease } from './lease-table';

let dir: string;
let problems: LeaseJournalProblem[];
const opened: LeaseJournal[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lpmos-journal-'));
  problems = [];
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((journal) => journal.close()));
  rmSync(dir, { recursive: true, force: true });
});

const path = (): string => join(dir, 'leases-lab.jsonl');
const macOf = (n: number): MacAddress => {
  const digits = n.toString(16).padStart(10, '0');
  return `02:${(digits.match(/../g) ?? []).join(':')}` as MacAddress;
};

async function open(): Promise<LeaseJournal> {
  const onProblem = (problem: LeaseJournalProblem): void => void problems.push(problem);
  const journal = await openLeaseJournal({ dir, linkName: 'lab', onProblem });
  opened.push(journal);
  return journal;
}

function lease(n: number, rest: Partial<Lease> = {}): Lease {
  const address = `10.77.${n >> 8}.${n & 255}`;
  return { mac: macOf(n), address, state: 'bound', sinceMs: 1000 + n, expiresAtMs: 9_000_000, ...rest };
}

async function written(leases: readonly Lease[]): Promise<void> {
  const journal = await open();
  leases.forEach((each) => journal.append(each));
  await journal.close();
}

it('gives back what was appended, in its last state, as if the process had been killed', async () => {
  const journal = await open();
  expect(journal.leases).toEqual([]);
  journal.append(lease(1, { hostname: 'node-1' }));
  journal.append(lease(2));
  journal.append(lease(3));
  journal.append(lease(2, { state: 'released' }));
  journal.append(lease(3, { state: 'declined' }));
  journal.append(lease(1, { hostname: 'node-1', expiresAtMs: 9_500_000 }));
  await journal.flushed();
  // The first journal is still open, as after kill -9.
  expect((await open()).leases).toEqual([
    lease(3, { state: 'declined' }),
    lease(1, { hostname: 'node-1', expiresAtMs: 9_500_000 }),
  ]);
  expect(problems).toEqual([]);
});

it('does not touch the disk within append', async () => {
  const journal = await open();
  journal.append(lease(1));
  expect(statSync(path()).size).toBe(0);
  await journal.flushed();
  expect(statSync(path()).size).toBeGreaterThan(100);
});

it('keeps one lease for a machine that moved and one for an address that changed hands', async () => {
  await written([
    lease(1),
    lease(1, { address: '10.77.0.9' }),
    lease(2, { address: '10.77.0.9', sinceMs: 5 }),
  ]);
  expect((await open()).leases).toEqual([lease(2, { address: '10.77.0.9', sinceMs: 5 })]);
});

it('sets a torn last line aside and goes on after it', async () => {
  await written([lease(1), lease(2)]);
  const whole = readFileSync(path());
  writeFileSync(path(), whole.subarray(0, whole.length - 20));
  const journal = await open();
  expect(journal.leases).toEqual([lease(1)]);
  expect(problems).toEqual([
    expect.objectContaining({ problem: expect.stringMatching(/^1 record.*line 2: cut short/) as string }),
  ]);
  expect(readFileSync(`${path()}.quarantine`, 'latin1')).toContain('"mac":"02:00:00:00:00:02"');
  journal.append(lease(3));
  await journal.flushed();
  expect((await open()).leases).toEqual([lease(1), lease(3)]);
  expect(problems).toHaveLength(1);
});

it('keeps a whole last record that lacks only its newline, and begins the next one on a line of its own', async () => {
  await written([lease(1), lease(2)]);
  const whole = readFileSync(path());
  writeFileSync(path(), whole.subarray(0, whole.length - 1));
  const journal = await open();
  journal.append(lease(3));
  await journal.flushed();
  expect((await open()).leases).toEqual([lease(1), lease(2), lease(3)]);
  expect(problems).toEqual([]);
});

it.each<[string, (line: string) => string, RegExp]>([
  ['a flipped bit', (line) => line.replace('10.77.0.2', '10.77.0.3'), /checksum does not match/],
  ['nonsense', () => '\u0000\u0001\u00ff', /no checksum/],
  ['a line without end', () => 'x'.repeat(500_000), /longer than 1024 bytes/],
  [
    'a newer version',
    (line) => rewritten(line, { v: 2, colour: 'blue' }),
    /version 2, and this daemon writes 1/,
  ],
  ['an address that is none', (line) => rewritten(line, { address: '10.77.0.256' }), /address is none/],
  ['a MAC that is none', (line) => rewritten(line, { mac: 7 }), /mac is none/],
  ['a state of the future', (line) => rewritten(line, { state: 'reserved' }), /state is none of/],
  ['an offer', (line) => rewritten(line, { state: 'offered' }), /state is none of/],
  ['a time before time', (line) => rewritten(line, { since_ms: -1 }), /since_ms is no time/],
  ['a time that is none', (line) => rewritten(line, { expires_at_ms: null }), /expires_at_ms is no time/],
  ['a host name that is none', (line) => rewritten(line, { hostname: {} }), /hostname is none/],
])('sets %s aside and keeps its neighbours', async (_, damage, reason) => {
  await written([lease(1), lease(2), lease(3)]);
  const lines = readFileSync(path(), 'latin1').split('\n');
  writeFileSync(path(), lines.map((line, at) => (at === 1 ? damage(line) : line)).join('\n'), 'latin1');
  expect((await open()).leases).toEqual([lease(1), lease(3)]);
  expect(problems.map(({ problem }) => problem)).toEqual([expect.stringMatching(reason)]);
  // Written anew: the next start finds nothing wrong.
  expect((await open()).leases).toEqual([lease(1), lease(3)]);
  expect(problems).toHaveLength(1);
});

function rewritten(line: string, change: Record<string, unknown>): string {
  const json = JSON.stringify({ ...(JSON.parse(line.slice(9)) as object), ...change });
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}`;
}

it('moves a file aside that it cannot have written', async () => {
  await written([lease(1)]);
  truncateSync(path(), 200 * 1024 * 1024);
  expect((await open()).leases).toEqual([]);
  expect(problems[0]?.problem).toMatch(/209715200 bytes.*renamed/);
});

it('starts on any file and never loses a whole record that stands before the damage', async () => {
  const good = Array.from({ length: 20 }, (_, n) => writeRecord(lease(n)));
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat({ max: 20 }),
      fc.boolean(),
      async (noise, cut, ended) => {
        const head = good.slice(0, cut).join('');
        writeFileSync(
          path(),
          Buffer.concat([Buffer.from(head), noise, Buffer.from(ended ? `\n${good[19]}` : '')]),
        );
        const journal = await open();
        expect(journal.leases.slice(0, Math.min(cut, 19))).toEqual(
          Array.from({ length: Math.min(cut, 19) }, (_, n) => lease(n)),
        );
        if (ended) expect(journal.leases).toContainEqual(lease(19));
        await journal.close();
      },
    ),
    { numRuns: 60 },
  );
});

it('stays small: renewals are written anew as one state', async () => {
  const journal = await open();
  for (let round = 0; round < 30; round += 1) {
    for (let n = 0; n < 500; n += 1) journal.append(lease(n, { sinceMs: round }));
    await journal.flushed();
  }
  const lines = readFileSync(path(), 'latin1').split('\n').length;
  expect(lines).toBeLessThan(2 * 500 + 4096 + 500);
  expect((await open()).leases).toHaveLength(500);
});

it('holds at most one state in memory when more comes than the disk takes', async () => {
  const journal = await open();
  // 40 000 changes within one turn of the event loop, of 100 machines.
  for (let n = 0; n < 40_000; n += 1) journal.append(lease(n % 100, { sinceMs: n }));
  await journal.flushed();
  expect(readFileSync(path(), 'latin1').split('\n').length).toBeLessThan(8192 + 200);
  const { leases } = await open();
  expect(leases.map(({ sinceMs }) => sinceMs)).toEqual(Array.from({ length: 100 }, (_, n) => 39_900 + n));
});

it('says once that the disk refuses, keeps everything, and says when it is well again', async () => {
  const journal = await open();
  journal.append(lease(1));
  await journal.flushed();
  // The journal is to be written anew (too much waits), and a folder stands where the new file goes.
  mkdirSync(`${path()}.new`);
  for (let n = 0; n < 8300; n += 1) journal.append(lease(n % 50));
  await journal.flushed();
  journal.append(lease(60));
  expect(problems.map(({ problem }) => problem)).toEqual([
    expect.stringMatching(/not being saved \(EISDIR\)/),
  ]);
  rmSync(`${path()}.new`, { recursive: true });
  const deadline = performance.now() + 20_000;
  while (problems.length < 2 && performance.now() < deadline)
    await new Promise((wake) => setTimeout(wake, 20));
  expect(problems[1]?.problem).toBe('leases are saved again');
  expect((await open()).leases).toHaveLength(51);
});

it('starts with what it can read when a torn journal can be neither set aside nor written anew, as on a full disk', async () => {
  await written([lease(1), lease(2)]);
  const whole = readFileSync(path());
  writeFileSync(path(), whole.subarray(0, whole.length - 20));
  // Folders stand where files would go.
  mkdirSync(`${path()}.quarantine`);
  mkdirSync(`${path()}.new`);
  const journal = await open();
  expect(journal.leases).toEqual([lease(1)]);
  expect(problems.map(({ problem }) => problem)).toEqual([
    expect.stringMatching(
      /^1 record.* could not be read and could not be set aside .*\(EISDIR\).*line 2: cut short/,
    ),
    expect.stringMatching(/not being saved \(EISDIR\)/),
  ]);
  journal.append(lease(3));
  rmSync(`${path()}.new`, { recursive: true });
  const deadline = performance.now() + 20_000;
  while (problems.length < 3 && performance.now() < deadline)
    await new Promise((wake) => setTimeout(wake, 20));
  expect((await open()).leases).toEqual([lease(1), lease(3)]);
});

it('refuses a folder that cannot be made, naming it', async () => {
  writeFileSync(join(dir, 'file'), '');
  const opening = openLeaseJournal({ dir: join(dir, 'file'), linkName: 'lab', onProblem: () => undefined });
  await expect(opening).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(
      /leases-lab\.jsonl cannot be opened \(E\w+\); make its folder writable/,
    ) as string,
  });
});

it('puts a link of any name into its own folder', async () => {
  const journal = await openLeaseJournal({ dir, linkName: '../../evil/%', onProblem: () => undefined });
  opened.push(journal);
  journal.append(lease(1));
  await journal.close();
  expect(existsSync(join(dir, 'leases-..%2F..%2Fevil%2F%25.jsonl'))).toBe(true);
  journal.append(lease(2));
  await journal.close();
});

it('replaying changes on top of a state that has them already gives the same state', () => {
  const change = fc
    .tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 }), fc.constantFrom('bound', 'declined', 'released'), fc.nat())
    .map(([mac, address, state, sinceMs]): Lease => ({
      ...lease(mac, { state: state as Lease['state'], sinceMs }),
      address: `10.77.0.${address}`,
    }));
  // As the server makes them: only the holder of an address declines or releases it.
  const sensible = (changes: readonly Lease[]): Lease[] => {
    const mirror = new LeaseMirror();
    return changes.filter((each) => {
      const holds = [...mirror.values()].some(
        (held) => held.mac === each.mac && held.address === each.address && held.state === 'bound',
      );
      if (each.state !== 'bound' && !holds) return false;
      mirror.apply(each);
      return true;
    });
  };
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), fc.nat(), (all, cut) => {
      const changes = sensible(all);
      const [once, twice] = [new LeaseMirror(), new LeaseMirror()];
      changes.forEach((each) => once.apply(each));
      const state = [...once.values()];
      [...state, ...changes.slice(cut % (changes.length + 1))].forEach((each) => twice.apply(each));
      const sorted = (mirror: LeaseMirror): Lease[] =>
        [...mirror.values()].sort((one, other) => one.address.localeCompare(other.address));
      expect(sorted(twice)).toEqual(sorted(once));
    }),
    { numRuns: 500 },
  );
});

it('a record reads back as it was written', () => {
  const given = lease(7, { hostname: 'node-7' });
  expect(readRecord(writeRecord(given).trimEnd())).toEqual({ kind: 'lease', lease: given });
});
