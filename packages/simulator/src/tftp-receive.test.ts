import type { TftpPacket } from '@lpmos/netboot';
import fc from 'fast-check';
import { startReceive, stepReceive } from './tftp-receive';
import type { ReceiveEffect, ReceiveStep } from './tftp-receive';

const WISH = { filename: 'ipxe.efi', blksize: 16, windowsize: 4 };
const oack = (...options: [string, string][]): TftpPacket => ({ kind: 'OACK', options });
const feed = (step: ReceiveStep, packet: TftpPacket): ReceiveStep =>
  stepReceive(step.state, { kind: 'packet', packet });
const failure = (step: ReceiveStep): string =>
  step.effects.flatMap((effect) => (effect.kind === 'failed' ? [effect.reason] : []))[0] ?? '';

it('asks as EDK2 does', () => {
  expect(startReceive(WISH).effects[0]).toEqual({
    kind: 'send',
    packet: {
      kind: 'RRQ',
      filename: 'ipxe.efi',
      mode: 'octet',
      options: [
        ['tsize', '0'],
        ['blksize', '16'],
        ['windowsize', '4'],
      ],
    },
  });
});

it('refuses more than it asked for, sizes that lie, and errors', () => {
  const start = startReceive(WISH);
  expect(failure(feed(start, oack(['blksize', '17'])))).toContain('blksize 17');
  expect(failure(feed(start, oack(['windowsize', '0'])))).toContain('windowsize 0');
  expect(failure(feed(start, oack(['tsize', '999999999999'])))).toContain('announced');
  expect(failure(feed(start, { kind: 'ERROR', code: 1, message: 'file not found' }))).toContain('error 1');
  const announced = feed(start, oack(['tsize', '5'], ['blksize', '16']));
  const short = feed(announced, { kind: 'DATA', block: 1, data: Uint8Array.of(1) });
  expect(failure(short)).toBe('5 bytes were announced and 1 came');
});

/** A correct sender with a lossy, repeating channel in both directions; `fate` decides packet by packet. */
function transfer(file: Uint8Array, fate: () => 'deliver' | 'drop' | 'twice'): Uint8Array | string {
  const last = Math.floor(file.length / WISH.blksize) + 1;
  const received: number[] = [];
  let acked = -1;
  let step = startReceive(WISH);
  for (let rounds = 0; rounds < 40_000; rounds += 1) {
    const acks = takeAcks(step.effects, received, (block) => (acked = Math.max(acked, unwrap(block, acked))));
    if (step.state.over) return failure(step) || Uint8Array.from(received);
    const replies = acks === 0 ? [] : answers(file, acked, last);
    const delivered = replies.flatMap((packet) => {
      const what = fate();
      return what === 'drop' ? [] : what === 'twice' ? [packet, packet] : [packet];
    });
    step = delivered.reduce<ReceiveStep>(
      (before, packet) => {
        const next = feed(before, packet);
        return { state: next.state, effects: [...before.effects, ...next.effects] };
      },
      { state: step.state, effects: [] },
    );
    if (delivered.length === 0 || step.effects.length === 0) {
      step = stepReceive({ ...step.state, tries: 0 }, { kind: 'timeout' });
    }
  }
  return 'no end';
}

function takeAcks(effects: readonly ReceiveEffect[], into: number[], onAck: (block: number) => void): number {
  let acks = 0;
  for (const effect of effects) {
    if (effect.kind === 'data') into.push(...effect.data);
    if (effect.kind !== 'send') continue;
    acks += 1;
    if (effect.packet.kind === 'ACK') onAck(effect.packet.block);
  }
  return acks;
}

function answers(file: Uint8Array, acked: number, last: number): TftpPacket[] {
  if (acked < 0) return [oack(['blksize', '16'], ['windowsize', '4'])];
  const blocks = Array.from(
    { length: Math.min(WISH.windowsize, last - acked) },
    (_, index) => acked + 1 + index,
  );
  return blocks.map((block) => ({
    kind: 'DATA',
    block: block & 0xffff,
    data: file.subarray((block - 1) * WISH.blksize, block * WISH.blksize),
  }));
}

const unwrap = (block: number, near: number): number =>
  near < 0 ? block : near + ((((block - near) & 0xffff) + 0x8000) % 0x10000) - 0x8000;

it('receives the exact bytes under any loss and repetition', () => {
  const fates = fc.infiniteStream(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant('deliver' as const) },
      { weight: 1, arbitrary: fc.constant('drop' as const) },
      { weight: 1, arbitrary: fc.constant('twice' as const) },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fates, (file, fate) => {
      expect(transfer(file, () => fate.next().value as 'deliver')).toEqual(file);
    }),
  );
});

it('goes on past block 65535', () => {
  const file = new Uint8Array(16 * 65_540 + 3).map((_, index) => index % 251);
  const found = transfer(file, () => 'deliver');
  expect(typeof found === 'string' ? found : Buffer.compare(found, file)).toBe(0);
});
