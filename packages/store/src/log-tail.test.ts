import { LOG_TAIL_BYTES, tailOf } from './log-tail';

describe('the tail of a log', () => {
  it('is the log itself while it fits, to the byte', () => {
    const fits = 'x'.repeat(LOG_TAIL_BYTES);
    expect(tailOf(fits)).toBe(fits);
    expect(tailOf('')).toBe('');
  });

  it('cuts the front after a line', () => {
    const tail = tailOf(`first line\n${'second line\n'.repeat(6_000)}`);
    expect(tail.startsWith('second line\n')).toBe(true);
    expect(Buffer.byteLength(tail)).toBeGreaterThan(LOG_TAIL_BYTES - 20);
  });

  it.each(['ü', '€', '😀'])('never cuts through %s', (character) => {
    for (const shift of ['', 'x', 'xx', 'xxx']) {
      const tail = tailOf(character.repeat(LOG_TAIL_BYTES / 2) + shift);
      expect(tail).not.toContain('\ufffd');
      expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(LOG_TAIL_BYTES);
      expect(Buffer.byteLength(tail)).toBeGreaterThan(LOG_TAIL_BYTES - 8);
    }
  });
});
