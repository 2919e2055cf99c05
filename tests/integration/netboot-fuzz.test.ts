/** The boot servers under seeded hostile packets, a short run of `scripts/fuzz/run.ts`; the long one is for the night. */
import { runFuzz } from '../../scripts/fuzz/harness';
import { openHttpFuzz } from '../../scripts/fuzz/http';
import { openTftpFuzz } from '../../scripts/fuzz/tftp';

const PACKETS = 20_000;

it.each([
  ['TFTP', openTftpFuzz, ['sent DATA', 'sent OACK', 'sent ERROR', 'completed', 'refused']],
  ['HTTP', openHttpFuzz, ['200', '206', '304', '400', '404', '405', '416', 'completed']],
])(
  '%s serves a good client after every thousand of 20 000 hostile packets, without a stall, a leak or a wrong answer',
  async (_name, open, reached) => {
    const report = await runFuzz(open, { packets: PACKETS, seed: 20_260_101 });
    expect(report.faults).toEqual([]);
    expect(report.sent).toBe(PACKETS);
    expect(report.goodClients).toBe(PACKETS / 1000);
    // The packets got past the first look: every kind of answer was seen.
    expect(Object.keys(report.tally)).toEqual(expect.arrayContaining(reached));
  },
  300_000,
);

it('ends at the first fault and says how to repeat it', async () => {
  const report = await runFuzz(
    async () => ({
      attack: async () => undefined,
      serveGoodClient: async () => {
        throw new Error('a good client got nothing');
      },
      faults: () => [],
      tally: () => ({}),
      stop: async () => undefined,
    }),
    { packets: 5000, seed: 3 },
  );
  expect(report).toMatchObject({ sent: 1000, faults: ['seed 3, by packet 1000: a good client got nothing'] });
});

it('sees a loop that stands still and memory that is kept', async () => {
  const kept: Buffer[] = [];
  const target = (attack: () => void) => async () => ({
    attack: async () => {
      attack();
      await new Promise((turn) => setImmediate(turn));
    },
    serveGoodClient: async () => undefined,
    faults: () => [],
    tally: () => ({}),
    stop: async () => undefined,
  });
  const stalled = await runFuzz(
    target(() => {
      // Two beats of the watchdog, so that the turn in between is measured whole.
      for (const end = process.cpuUsage().user + 400_000; process.cpuUsage().user < end;);
    }),
    { packets: 5000, seed: 1 },
  );
  expect(stalled.faults[0]).toMatch(/stood still for \d+ ms/);
  const leaking = await runFuzz(
    target(() => kept.push(Buffer.alloc(50 * 1024, 1))),
    { packets: 20_000, seed: 1 },
  );
  expect(leaking.faults[0]).toMatch(/memory grew by \d+ bytes over 20000 packets/);
  kept.length = 0;
});
