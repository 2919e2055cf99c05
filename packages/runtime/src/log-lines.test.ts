/** Lines of one turn leave together, in order; a log that cannot be written is no reason to stop. Exits are proven with real processes. */
import { createLineSink } from './log-lines';

function sinkWith(write: (bytes: Uint8Array) => number) {
  const later: (() => void)[] = [];
  const waits: number[] = [];
  const sink = createLineSink({
    write,
    later: (flush) => later.push(flush),
    wait: (ms) => void waits.push(ms),
  });
  return { sink, later, waits, turn: () => later.splice(0).forEach((flush) => flush()) };
}
const failing = (code: string) => Object.assign(new Error(code), { code });

describe('the line sink', () => {
  it('writes once for all lines of a turn, and again for those of the next', () => {
    const writes: string[] = [];
    const { sink, turn } = sinkWith((bytes) => writes.push(Buffer.from(bytes).toString()) && bytes.length);
    sink.write('a\n');
    sink.write('ö\n');
    expect(writes).toEqual([]);
    turn();
    sink.write('c\n');
    turn();
    turn();
    expect(writes).toEqual(['a\nö\n', 'c\n']);
  });

  it('holds no more than a bounded batch', () => {
    let written = 0;
    const { sink } = sinkWith((bytes) => (written += bytes.length) && bytes.length);
    for (let index = 0; index < 1000; index += 1) sink.write('x'.repeat(1000));
    expect(written).toBeGreaterThan(1_000_000 - 66_000);
  });

  it('goes on after a write that took a part, and after a full pipe', () => {
    let text = '';
    let full = 3;
    const { sink, turn, waits } = sinkWith((bytes) => {
      if ((full -= 1) >= 0) throw failing('EAGAIN');
      const part = bytes.subarray(0, 2);
      text += Buffer.from(part).toString();
      return part.length;
    });
    sink.write('abcde\n');
    turn();
    expect(text).toBe('abcde\n');
    expect(waits).toHaveLength(3);
  });

  it.each(['EPIPE', 'ENOSPC', 'EAGAIN'])(
    'drops lines while writing fails with %s, and says how many',
    (code) => {
      let broken = true;
      let text = '';
      const { sink, turn } = sinkWith((bytes) => {
        if (broken) throw failing(code);
        text += Buffer.from(bytes).toString();
        return bytes.length;
      });
      sink.write('a\n');
      sink.write('b\n');
      turn();
      sink.write('c\n');
      turn();
      broken = false;
      sink.write('d\n');
      turn();
      sink.write('e\n');
      turn();
      expect(text).toBe('{"level":"warn","msg":"3 log lines could not be written"}\nd\ne\n');
    },
  );

  it('waits for a full pipe once and then no more, and begins a new line after half a one', () => {
    let text = '';
    let room = 3;
    const { sink, turn, waits } = sinkWith((bytes) => {
      if (room === 0) throw failing('EAGAIN');
      const part = bytes.subarray(0, room);
      room -= part.length;
      text += Buffer.from(part).toString();
      return part.length;
    });
    sink.write('abcde\n');
    turn();
    const waited = waits.length;
    sink.write('f\n');
    turn();
    expect(waits).toHaveLength(waited);
    room = 1000;
    sink.write('g\n');
    turn();
    expect(text).toBe('abc\n{"level":"warn","msg":"2 log lines could not be written"}\ng\n');
  });
});
