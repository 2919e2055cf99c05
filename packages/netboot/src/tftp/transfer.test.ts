/**
 * The transfer machine: rules one by one, then against a model of a client over a wire that drops, doubles and reorders
 * by a schedule (no sockets, virtual time). A model of ours proves the flow; foreign clients are in tests/conformance.
 */
import fc from 'fast-check';
import { simulateTransfer, type Fate } from './transfer-simulation';
import { startTransfer, stepTransfer, type TransferEffect, type TransferStep } from './transfer';

const plain = { blksize: 512, windowsize: 1, oack: [] };
const windowed = { blksize: 10, windowsize: 4, oack: [['windowsize', '4'] as const] };
const ack = (step: TransferStep, block: number) => stepTransfer(step.state, { kind: 'ack', block });
const timeout = (step: TransferStep) => stepTransfer(step.state, { kind: 'timeout' });
const kinds = (step: TransferStep) => step.effects.map((effect) => effect.kind);
const sent = (step: TransferStep) =>
  step.effects.flatMap((effect: TransferEffect) =>
    effect.kind === 'send-data' ? [[effect.first, effect.last]] : [],
  );
const end = (step: TransferStep) =>
  step.effects.flatMap((effect) => (effect.kind === 'finish' ? [effect.end.outcome] : []))[0];

describe('a transfer in lock-step', () => {
  it.each([
    [0, 1],
    [1, 1],
    [511, 1],
    [512, 2],
    [513, 2],
    [1024, 3],
  ])('of %i bytes has %i blocks of 512, the last one short or empty', (size, blocks) => {
    let step = startTransfer(size, plain);
    for (let block = 1; block <= blocks; block += 1) {
      expect(sent(step)).toEqual([[block, block]]);
      step = ack(step, block);
    }
    expect(end(step)).toBe('completed');
  });

  it('does not send again for a repeated ACK, and does not prolong the timer', () => {
    const second = ack(startTransfer(2000, plain), 1);
    expect(ack(second, 1)).toEqual({ state: second.state, effects: [] });
  });

  it('ignores an ACK of what was not sent', () => {
    const first = startTransfer(2000, plain);
    expect(ack(first, 2).effects).toEqual([]);
    expect(ack(first, 65535).effects).toEqual([]);
  });

  it('counts on after block 65535 with 0', () => {
    let step = startTransfer(512 * 70_000, plain);
    for (let block = 1; block <= 65_540; block += 1) step = ack(step, block & 0xffff);
    expect(sent(step)).toEqual([[65_541, 65_541]]);
  });
});

describe('options and windows', () => {
  it('waits for ACK 0 after an OACK', () => {
    const opened = startTransfer(95, windowed);
    expect(kinds(opened)).toEqual(['send-oack', 'arm']);
    expect(ack(opened, 1).effects).toEqual([]);
    expect(sent(ack(opened, 0))).toEqual([[1, 4]]);
  });

  it('goes on after the gap when a block inside the window is acknowledged', () => {
    const open = ack(startTransfer(95, windowed), 0);
    expect(sent(ack(open, 2))).toEqual([[3, 6]]);
    expect(sent(ack(ack(open, 4), 8))).toEqual([[9, 10]]);
  });

  it('takes an abort after the OACK for what it is: EDK2 asking for the size', () => {
    const step = stepTransfer(startTransfer(95, windowed).state, {
      kind: 'peer-error',
      code: 8,
      message: '',
    });
    expect(end(step)).toBe('probe');
    expect(kinds(step)).toEqual(['finish']);
  });

  it('takes the same error after DATA for a failure, and says nothing back', () => {
    const step = stepTransfer(startTransfer(95, plain).state, { kind: 'peer-error', code: 8, message: 'x' });
    expect(end(step)).toBe('failed');
    expect(kinds(step)).toEqual(['finish']);
  });
});

describe('silence', () => {
  it('sends three times to a peer that never answered, then nothing more, not even an error', () => {
    let step = startTransfer(2000, plain);
    let packets = 0;
    while (end(step) === undefined) {
      packets += sent(step).length;
      step = timeout(step);
    }
    expect(packets).toBe(3);
    expect(kinds(step)).toEqual(['finish']);
  });

  it('tries a proven peer five times with back-off, then tells it', () => {
    let step = ack(startTransfer(2000, plain), 1);
    const delays: number[] = [];
    while (end(step) === undefined) {
      delays.push(...step.effects.flatMap((effect) => (effect.kind === 'arm' ? [effect.delayMs] : [])));
      step = timeout(step);
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 8000]);
    expect(kinds(step)).toEqual(['send-error', 'finish']);
  });

  it('uses the timeout that the client chose', () => {
    const step = ack(startTransfer(9, { ...windowed, timeoutMs: 20_000 }), 0);
    expect(step.effects[1]).toEqual({ kind: 'arm', delayMs: 20_000 });
    expect(timeout(step).effects[1]).toEqual({ kind: 'arm', delayMs: 20_000 });
  });

  it('keeps no place for minutes for a peer that asked for a long timeout and never answered', () => {
    let step = startTransfer(9, { ...windowed, timeoutMs: 255_000 });
    let heldMs = 0;
    while (end(step) === undefined) {
      heldMs += step.effects.reduce((sum, effect) => sum + (effect.kind === 'arm' ? effect.delayMs : 0), 0);
      step = timeout(step);
    }
    expect(heldMs).toBeLessThanOrEqual(24_000);
  });

  it('is over when the port is closed or the time is up, and stays over', () => {
    const open = ack(startTransfer(2000, plain), 1).state;
    const closed = stepTransfer(open, { kind: 'unreachable' });
    expect(end(closed)).toBe('failed');
    expect(kinds(stepTransfer(open, { kind: 'expired' }))).toEqual(['send-error', 'finish']);
    // A peer that never answered may be a forged address: not even an ERROR goes there.
    expect(kinds(stepTransfer(startTransfer(9, plain).state, { kind: 'expired' }))).toEqual(['finish']);
    expect(stepTransfer(closed.state, { kind: 'timeout' }).effects).toEqual([]);
  });
});

const GOOD: Fate = { dropped: false, copies: 1, delayMs: 0 };
const fate = (drop: number): fc.Arbitrary<Fate> =>
  fc.record({
    dropped: fc.nat(99).map((n) => n < drop),
    copies: fc.integer({ min: 1, max: 3 }),
    delayMs: fc.nat(40),
  });
const shape = fc.record({
  sizeBytes: fc.nat(900),
  blksize: fc.integer({ min: 8, max: 64 }),
  windowsize: fc.integer({ min: 1, max: 9 }),
  withOack: fc.boolean(),
});

describe('any schedule of loss, duplication and reordering', () => {
  it('ends with the exact bytes or a clean failure, within a bounded number of packets', () => {
    fc.assert(
      fc.property(shape, fc.array(fate(40), { maxLength: 80 }), (transfer, fates) => {
        const result = simulateTransfer({ ...transfer, fates });
        expect(result.received.equals(result.file.subarray(0, result.received.length))).toBe(true);
        expect(result.outcome).toBeDefined();
        if (result.outcome === 'completed') expect(result.received.equals(result.file)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('always delivers when at most every second packet is lost', () => {
    fc.assert(
      fc.property(shape, fc.array(fate(100), { maxLength: 60 }), (transfer, losses) => {
        // Two good ones after each loss, so that neither side runs out of tries.
        const fates = losses.flatMap((lost) => [lost, GOOD, GOOD]);
        const result = simulateTransfer({ ...transfer, fates });
        expect(result.received.equals(result.file)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("sends each block once over a wire that only doubles (no Sorcerer's Apprentice)", () => {
    const transfer = { sizeBytes: 900, blksize: 9, windowsize: 1, withOack: true };
    const fates = Array.from({ length: 2000 }, () => ({ ...GOOD, copies: 2 }));
    expect(simulateTransfer({ ...transfer, fates }).dataPackets).toBe(101);
  });
});
