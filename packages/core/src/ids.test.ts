/** Region-tagged ids are valid UUIDv8, carry their tag, and nothing else passes for one. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { createTaskId, isTaskId, parseRegionId, regionTag, tagOfTask } from './ids';
import { canonicalJson } from './canonical-json';
import { ERROR_CODES, ERROR_TABLE, LpmosError } from './errors';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

describe('task ids', () => {
  it('are UUIDs of version 8 and begin with the tag of their region', () => {
    const tag = regionTag(parseRegionId('dc1'), sha256);
    expect(tag).toBe(createHash('sha256').update('dc1').digest('hex').slice(0, 8));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), (random) => {
        const id = createTaskId(tag, random);
        expect(isTaskId(id)).toBe(true);
        expect(tagOfTask(id)).toBe(tag);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      }),
    );
  });

  it('differ when the random bytes differ in any of their free bits', () => {
    const tag = regionTag(parseRegionId('dc1'), sha256);
    const ids = new Set(
      Array.from({ length: 12 }, (_, at) =>
        createTaskId(
          tag,
          Uint8Array.from({ length: 12 }, (_v, i) => (i === at ? 1 : 0)),
        ),
      ),
    );
    expect(ids.size).toBe(12);
  });

  it.each(['', 'DC1', '-dc', 'dc-', 'a'.repeat(33), 'dc/1', 'dc 1'])('region id %s is refused', (text) =>
    expect(() => parseRegionId(text)).toThrow(/region_id must be/),
  );
});

describe('canonicalJson', () => {
  it('is the same for equal values, whatever the order of their keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(shuffled)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('errors', () => {
  it('have plausible codes on every face', () => {
    for (const code of ERROR_CODES) {
      const { http, grpc, exit } = ERROR_TABLE[code];
      expect(http).toBeGreaterThanOrEqual(400);
      expect(grpc).toBeGreaterThan(0);
      expect(grpc).toBeLessThanOrEqual(16);
      expect(exit).toBeGreaterThan(1);
    }
  });

  it('hide what they do not know', () => {
    const error = LpmosError.from(new Error('password is hunter2'));
    expect(error.code).toBe('internal');
    expect(error.message).not.toContain('hunter2');
  });
});
