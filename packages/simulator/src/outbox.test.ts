import fc from 'fast-check';
import { acknowledge, acknowledgeUpTo, EMPTY_OUTBOX, enqueue, isPending } from './outbox';
import type { Outbox, OutboxMessage } from './outbox';

const progress = (percent: number): OutboxMessage => ({
  $case: 'progress',
  value: { attempt: 1, phase: 'writing', percent, message: '', bytesDone: '0', bytesTotal: '0' },
});
const result: OutboxMessage = {
  $case: 'result',
  value: { attempt: 1, success: true, failureClass: '', message: '', diskTouched: true },
};
const queueOf = (...messages: OutboxMessage[]): Outbox => messages.reduce(enqueue, EMPTY_OUTBOX);
const numbers = (outbox: Outbox): number[] => outbox.unacknowledged.map(({ seq }) => seq);

it('keeps results until they are stored, and of progress only the newest', () => {
  expect(numbers(queueOf(progress(1), result, progress(5), progress(10)))).toEqual([2, 4]);
});

it('an ack settles its own message and the progress before it, never an earlier result', () => {
  const outbox = queueOf(result, progress(1), result);
  expect(numbers(acknowledge(outbox, 3))).toEqual([1]);
  expect(numbers(acknowledge(outbox, 1))).toEqual([2, 3]);
  expect(numbers(acknowledgeUpTo(outbox, 2))).toEqual([3]);
});

it('never gives a number twice and never loses a result', () => {
  const step = fc.oneof(fc.constant('progress' as const), fc.constant('result' as const), fc.nat(30));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let outbox = EMPTY_OUTBOX;
      const given: number[] = [];
      const results = new Set<number>();
      for (const each of steps) {
        if (typeof each === 'number') {
          outbox = acknowledge(outbox, each);
          results.delete(each);
          continue;
        }
        outbox = enqueue(outbox, each === 'result' ? result : progress(1));
        given.push(outbox.lastSeq);
        if (each === 'result') results.add(outbox.lastSeq);
      }
      expect(given).toEqual(given.map((_, index) => index + 1));
      expect([...results].every((seq) => isPending(outbox, seq))).toBe(true);
    }),
  );
});
