/** What may stand in a script: payloads that must be refused, text that must be made harmless. */
import fc from 'fast-check';
import { commandWord, consoleText, fetchableUrl, harmlessSetting } from './escape';

const HOSTILE = [
  'a\nboot',
  'a\rboot',
  'a\0b',
  '${net0/mac}',
  '$(reboot)',
  '`reboot`',
  'a;b',
  'a&&b',
  'a||b',
  'a#b',
  'a b',
  'a\tb',
  'a"b',
  "a'b",
  'a\\b',
  'a<b>',
  '\u2028',
  '\u202eabc',
  'caf\u00e9',
  '',
  'x'.repeat(65_536),
];

describe('commandWord', () => {
  it.each(HOSTILE)('refuses %j by an error that names the field', (value) => {
    expect(() => commandWord(value, 'hostname')).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: expect.stringMatching(/^hostname must/) }),
    );
  });

  it.each(['console=ttyS0,115200n8', 'http://10.0.0.1:8080/a?b=1&c=%20', '[fe80::1]', 'a.b-c_d~e+f@g'])(
    'lets %s through unchanged',
    (value) => expect(commandWord(value, 'argument')).toBe(value),
  );
});

describe('fetchableUrl', () => {
  it.each(['/boot/x', 'file:///etc/passwd', 'https:/x', 'javascript:x', 'http://'])('refuses %s', (value) => {
    expect(() => fetchableUrl(value, 'kernel_url')).toThrow(/^kernel_url must/);
  });
});

describe('harmlessSetting', () => {
  it.each(['platform', 'net0/mac:hexhyp', 'uuid:uuid', 'lpmos-attempts:int32', 'serial:uristring'])(
    'takes %s',
    (n) => {
      expect(harmlessSetting(n)).toBe(n);
    },
  );
  it.each(['hostname', 'net0/filename', 'user-class:string', 'a}b', 'Ä'])('refuses %s', (n) => {
    expect(() => harmlessSetting(n)).toThrow(/^setting/);
  });
});

describe('consoleText', () => {
  it('never fails and never holds what iPXE could act on', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom(...HOSTILE)),
        (text) => {
          expect(consoleText(text)).toMatch(/^(?!-)[\x20-\x7e]{0,160}$/);
          expect(consoleText(text)).not.toMatch(/[$`\\#{}|&<>";]/);
        },
      ),
    );
  });

  it('keeps plain words and turns the rest into look-alikes', () => {
    expect(consoleText('--n the task ended; the disk\nis ${left}')).toBe(
      'n the task ended, the disk is ??left?',
    );
  });
});
