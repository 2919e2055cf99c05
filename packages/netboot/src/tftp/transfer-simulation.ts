/**
 * A model of a TFTP client and of a bad wire, to run the transfer machine in virtual time: for tests only.
 * The client follows RFC 1350 and 7440 to the letter, including what hurts: it acknowledges every block that is out of
 * order and repeats its last ACK when nothing comes.
 */
import { startTransfer, stepTransfer, type TransferEffect, type TransferEnd } from './transfer';

/** What the wire does to one packet. Packets beyond the schedule arrive at once and once. */
export interface Fate {
  readonly dropped: boolean;
  readonly copies: number;
  readonly delayMs: number;
}

export interface SimulatedTransfer {
  readonly sizeBytes: number;
  readonly blksize: number;
  readonly windowsize: number;
  readonly withOack: boolean;
  readonly fates: readonly Fate[];
}

type Happening = { readonly atMs: number; readonly order: number; readonly run: () => void };

const CLIENT_TIMEOUT_MS = 700;
const CLIENT_TRIES = 12;
/** Far above what any schedule of a test needs: reaching it means that two sides feed each other. */
const MAX_HAPPENINGS = 100_000;

export function simulateTransfer(options: SimulatedTransfer) {
  const { blksize, withOack } = options;
  const windowsize = withOack ? options.windowsize : 1;
  const file = Buffer.from(
    Array.from({ length: options.sizeBytes }, (_none, index) => (index * 7 + 3) & 0xff),
  );
  const oack = withOack ? [['windowsize', String(windowsize)] as const] : [];
  const agenda: Happening[] = [];
  let nowMs = 0;
  let order = 0;
  let packets = 0;
  let dataPackets = 0;
  let end: TransferEnd | undefined;

  const at = (delayMs: number, run: () => void) =>
    agenda.push({ atMs: nowMs + delayMs, order: order++, run });
  const overWire = (run: () => void) => {
    const fate = options.fates[packets++] ?? { dropped: false, copies: 1, delayMs: 1 };
    if (fate.dropped) return;
    for (let copy = 0; copy < fate.copies; copy += 1) at(fate.delayMs + copy * 5, run);
  };

  const client = createClient({
    windowsize,
    blksize,
    at,
    acknowledge: (block) => overWire(() => server({ kind: 'ack', block: block & 0xffff })),
  });

  const opening = startTransfer(file.length, { blksize, windowsize, oack });
  let state = opening.state;
  let armed = 0;
  const server = (event: Parameters<typeof stepTransfer>[1]) => {
    const step = stepTransfer(state, event);
    state = step.state;
    step.effects.forEach(perform);
  };
  const perform = (effect: TransferEffect) => {
    if (effect.kind === 'send-oack') overWire(client.onOack);
    if (effect.kind === 'finish') end = effect.end;
    if (effect.kind === 'arm') {
      const mine = ++armed;
      at(effect.delayMs, () => mine === armed && server({ kind: 'timeout' }));
    }
    if (effect.kind !== 'send-data') return;
    for (let block = effect.first; block <= effect.last; block += 1) {
      dataPackets += 1;
      const data = file.subarray((block - 1) * blksize, block * blksize);
      overWire(() => client.onData(block & 0xffff, data));
    }
  };

  opening.effects.forEach(perform);
  for (let count = 0; agenda.length > 0; count += 1) {
    if (count > MAX_HAPPENINGS) throw new Error('the two sides feed each other');
    agenda.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    const next = agenda.shift();
    if (next === undefined) break;
    nowMs = next.atMs;
    next.run();
  }
  return { file, received: Buffer.concat(client.received), outcome: end?.outcome, dataPackets };
}

interface ClientOptions {
  readonly windowsize: number;
  readonly blksize: number;
  readonly at: (delayMs: number, run: () => void) => void;
  readonly acknowledge: (block: number) => void;
}

function createClient({ windowsize, blksize, at, acknowledge }: ClientOptions) {
  const received: Buffer[] = [];
  let inWindow = 0;
  let done = false;
  let heard = false;
  let tries = 0;
  let armed = 0;

  const answer = () => {
    inWindow = 0;
    acknowledge(received.length);
    arm();
  };
  const arm = () => {
    const mine = ++armed;
    at(CLIENT_TIMEOUT_MS, () => {
      if (mine !== armed || done || !heard || tries++ > CLIENT_TRIES) return;
      answer();
    });
  };
  return {
    received,
    onOack() {
      heard = true;
      if (received.length === 0) answer();
    },
    onData(block: number, data: Buffer) {
      heard = true;
      if (done || block !== ((received.length + 1) & 0xffff)) {
        // Also after the end: the last ACK may have been lost.
        answer();
        return;
      }
      tries = 0;
      received.push(data);
      inWindow += 1;
      done = data.length < blksize;
      if (done || inWindow === windowsize) answer();
      else arm();
    },
  };
}
