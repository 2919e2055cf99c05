/** GRUB scripts: every value stays one word, every text stays text; grub-script-check, a foreign reader, agrees with the syntax. */
import fc from 'fast-check';
import { quotedText, quotedWord } from './escape';
import { renderGrubScript } from './script';
import type { GrubCommand } from './script';

const render = (...script: GrubCommand[]) => renderGrubScript(script);

describe('quotedWord', () => {
  it.each(['/agent/vmlinuz', 'console=ttyS0,115200', '$x;{}|&<>#`!*', '(http,10.0.0.1:80)/a'])(
    'takes %s',
    (word) => {
      expect(quotedWord(word, 'f')).toBe(`'${word}'`);
    },
  );
  it.each(['', "a'b", 'a b', 'a\nb', 'a"b', 'a\\b', 'caf\u00e9', 'x'.repeat(1025)])('refuses %j', (word) => {
    expect(() => quotedWord(word, 'kernel_file')).toThrow(/^kernel_file must /);
  });
});

describe('quotedText', () => {
  it('is one quoted piece of printable ASCII whatever a machine or an operator wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        expect(quotedText(text)).toMatch(/^'(?:[\x20,.-~!-&(-+/][\x20-\x26\x28-\x7e]{0,159})?'$/);
        expect(quotedText(text)).not.toMatch(/^'-/);
      }),
    );
  });
  it('keeps words readable', () => {
    expect(quotedText("  --it's\n\u00fcber;  $(x)")).toBe("'it`s ?ber; $(x)'");
    expect(quotedText('y'.repeat(200))).toHaveLength(162);
  });
});

describe('renderGrubScript', () => {
  it('nests blocks', () => {
    const script = render({
      do: 'while',
      condition: { variable: 'again', is: 'yes' },
      body: [
        {
          do: 'if',
          condition: { works: { do: 'search', file: '/EFI/x' } },
          then: [{ do: 'configfile', file: '/EFI/x' }],
          else: [{ do: 'set', variable: 'again', value: 'no', append: true }],
        },
      ],
    });
    expect(script).toBe(
      [
        `while [ "\${again}" = 'yes' ]; do`,
        "  if search --no-floppy --file --set=root '/EFI/x'; then",
        "    configfile '/EFI/x'",
        '  else',
        `    set again="\${again}"'no'`,
        '  fi',
        'done',
        '',
      ].join('\n'),
    );
  });

  it.each<[string, GrubCommand, RegExp]>([
    ['a variable that is none', { do: 'set', variable: 'a;b', value: '1' }, /^variable must be a name/],
    ['a sleep without end', { do: 'sleep', seconds: 3601 }, /^seconds must be/],
    ['no sleep at all', { do: 'sleep', seconds: 0 }, /^seconds must be/],
    ['a file name of nothing', { do: 'source', file: [] }, /^source_file must not be empty/],
    [
      'an argument that would be two',
      { do: 'linux', file: '/k', arguments: [['console', "ttyS0' init=/bin/sh"]] },
      /^kernel_argument console must not hold the character U\+0027/,
    ],
    [
      'a kernel line that Linux would cut',
      {
        do: 'linux',
        file: '/k',
        arguments: Array.from({ length: 3 }, () => ['a', 'x'.repeat(1000)] as const),
      },
      /^kernel_arguments has 3008 characters/,
    ],
  ])('refuses %s', (_what, command, problem) => {
    expect(() => render(command)).toThrow(problem);
  });
});
