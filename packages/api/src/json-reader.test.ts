import fc from 'fast-check';
import { MAX_JSON_DEPTH, readJson } from './json-reader';

function problemsOf(text: string): string[] {
  const reading = readJson(text);
  return reading.kind === 'value' ? [] : reading.problems.map(({ path, problem }) => `${path}: ${problem}`);
}

describe('readJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), fc.boolean(), (text, spaced) => {
        fc.pre(!text.includes('__proto__'));
        const input = spaced ? JSON.stringify(JSON.parse(text), null, 2) : text;
        const reading = readJson(input);
        expect(reading.kind).toBe('value');
        expect(JSON.stringify(reading.kind === 'value' ? reading.value : undefined)).toBe(
          JSON.stringify(JSON.parse(text)),
        );
      }),
    );
  });

  it('refuses whatever JSON.parse refuses', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:0123456789.eE+-truefalsn \\u') }), (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        if (!valid) expect(readJson(text).kind).toBe('problems');
      }),
      { numRuns: 2000 },
    );
  });

  it('lists every duplicate key with its path', () => {
    expect(problemsOf('{"a":1,"a":2,"tags":{"x":"1","x":"2"},"l":[{"k":1,"k":1}]}')).toEqual([
      'a: is given more than once; keep one',
      'tags.x: is given more than once; keep one',
      'l.0.k: is given more than once; keep one',
    ]);
  });

  it('takes a key spelled with an escape for the same key', () => {
    expect(problemsOf('{"a":1,"\\u0061":2}')).toEqual(['a: is given more than once; keep one']);
  });

  it('refuses __proto__ in any spelling and pollutes nothing', () => {
    expect(problemsOf('{"__proto__":{"polluted":1}}')).toEqual(['__proto__: is not allowed as a key']);
    expect(problemsOf('{"x":{"\\u005f_proto__":{"polluted":1}}}')).toEqual([
      'x.__proto__: is not allowed as a key',
    ]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('gives objects no prototype', () => {
    const reading = readJson('{"a":{}}');
    const value = (reading.kind === 'value' ? reading.value : {}) as { a: object };
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.getPrototypeOf(value.a)).toBeNull();
  });

  it('bounds the depth', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(problemsOf(nested(MAX_JSON_DEPTH))).toEqual([]);
    expect(problemsOf(nested(MAX_JSON_DEPTH + 2))[0]).toContain('nested deeper than 32 levels');
    expect(problemsOf('['.repeat(60_000))[0]).toContain('nested deeper');
  });

  it('says where and what', () => {
    expect(problemsOf('{"a":1,\n  b:2}')).toEqual([
      ': is not valid JSON at line 2, column 3: expected a key in double quotes',
    ]);
    expect(problemsOf('')).toEqual([': is not valid JSON at line 1, column 1: it ends too early']);
    expect(problemsOf('{"a":01}')[0]).toContain('expected "," or "}"');
    expect(problemsOf('1e999')[0]).toContain('out of range');
  });

  it('refuses half characters', () => {
    expect(problemsOf('{"a":"\\ud800"}')).toEqual([
      'a: holds half of a surrogate pair, which is no character',
    ]);
  });

  it('is linear in hostile texts', () => {
    const hostile = [
      '"' + '\\'.repeat(65_000),
      '{'.repeat(65_000),
      '"' + 'a'.repeat(65_000),
      ' '.repeat(65_000),
      '1'.repeat(65_000) + 'x',
    ];
    for (const text of hostile) expect(readJson(text).kind).toBe('problems');
  });
});
