/** Rendering: one line for each step whatever the values, refused values, and that parsing finds the same commands again. */
import fc from 'fast-check';
import { bootScript } from './boot-scripts';
import { parseIpxeScript } from './parse';
import { renderIpxeScript, type IpxeStep } from './script';
import type { BootDecision, TaskId } from '@lpmos/core';

const kernel = (value: string): IpxeStep => ({
  do: 'kernel',
  url: 'http://h/k',
  arguments: [['hostname', value]],
  orGoto: 'fail',
});
const FAIL: IpxeStep = { do: 'label', name: 'fail' };

describe('renderIpxeScript', () => {
  it.each(['a\nboot', '${x}', 'a b', '`x`', 'a;b', 'a||b', 'x'.repeat(2000)])(
    'refuses the argument %j',
    (value) => {
      expect(() => renderIpxeScript([kernel(value), FAIL])).toThrow(/^kernel_argument hostname must/);
    },
  );

  it('refuses a kernel line that Linux would cut', () => {
    const many = Array.from({ length: 3 }, (_none, index) => [`a${index}`, 'x'.repeat(900)] as const);
    const step: IpxeStep = { do: 'kernel', url: 'http://h/k', arguments: many, orGoto: 'fail' };
    expect(() => renderIpxeScript([step, FAIL])).toThrow(
      /^kernel_arguments has \d+ characters, more than the 2047/,
    );
  });

  it('refuses a jump to a label that is not there', () => {
    expect(() => renderIpxeScript([kernel('a')])).toThrow('label fail is not in the script');
  });

  it('refuses free text from a setting, which could bring commands along', () => {
    expect(() => renderIpxeScript([{ do: 'echo', text: ['host', { setting: 'hostname' }] }])).toThrow(
      /free text/,
    );
  });

  it('joins conditions as iPXE reads them', () => {
    const step: IpxeStep = { do: 'iseq', setting: 'platform', value: 'efi', andGoto: 'fail', orGoto: 'fail' };
    expect(renderIpxeScript([step, FAIL])).toBe(
      '#!ipxe\niseq ${platform} efi && goto fail || goto fail\n:fail\n',
    );
  });

  it('has one line for each step and the same commands, for all values that are accepted', () => {
    const word = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.string({ unit: 'binary', maxLength: 10 }),
      fc.stringMatching(/^[a-z0-9.=,:/-]{1,30}$/),
    );
    const decision: fc.Arbitrary<BootDecision> = fc.oneof(
      word.map((reason) => ({ kind: 'agent', purpose: 'install', taskId: 't' as TaskId, reason }) as const),
      word.map((reason) => ({ kind: 'wait', retryAfterSeconds: 5, reason }) as const),
      word.map((reason) => ({ kind: 'local-disk', reason }) as const),
    );
    const args = fc.array(fc.tuple(word, word), { maxLength: 4 });
    fc.assert(
      fc.property(
        decision,
        fc.tuple(word, word, word),
        args,
        (what, [machine, region, path], kernelArguments) => {
          const steps = bootScript(what, {
            machine,
            region,
            retry: { url: `http://10.0.0.1/${path}`, seconds: 5, attempts: 3, jitter: 0.3 },
            agent: {
              kernelUrl: `http://10.0.0.1/${path}`,
              initrdUrls: [`http://h/${path}`],
              kernelArguments,
            },
          });
          const text = attempt(() => renderIpxeScript(steps));
          if (text === undefined) return;
          expect(text.split('\n')).toHaveLength(steps.length + 2);
          const firstWords = parseIpxeScript(text).map((line) =>
            line.kind === 'label' ? 'label' : line.commands[0]?.words[0],
          );
          expect(firstWords).toEqual(steps.map((step) => step.do));
          expect(
            text.match(/\$\{[^}]*\}/g)?.every((ref) => /^\$\{(lpmos-attempts:int32|platform)\}$/.test(ref)),
          ).not.toBe(false);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

function attempt(make: () => string): string | undefined {
  try {
    return make();
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_argument' });
    return undefined;
  }
}
