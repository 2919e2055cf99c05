/** Status and headers of files by table: one row for each kind of answer. */
import { answerAsset } from './asset-answer';

const asset = { sizeBytes: 100, etag: '"abc"', immutable: false };

describe('answerAsset', () => {
  it.each([
    ['whole', {}, 200, 0, 100, undefined],
    ['a part', { range: 'bytes=10-19' }, 206, 10, 10, 'bytes 10-19/100'],
    ['out of range', { range: 'bytes=100-' }, 416, 0, 0, 'bytes */100'],
    ['two parts', { range: 'bytes=0-1,5-6' }, 416, 0, 0, 'bytes */100'],
    ['known already', { ifNoneMatch: '"abc"', range: 'bytes=0-1' }, 304, 0, 0, undefined],
    ['a part of the same', { range: 'bytes=10-19', ifRange: '"abc"' }, 206, 10, 10, 'bytes 10-19/100'],
    [
      'a part of what is still there',
      { range: 'bytes=10-19', ifMatch: '"x", "abc"' },
      206,
      10,
      10,
      'bytes 10-19/100',
    ],
    ['a part of what must be there', { range: 'bytes=10-19', ifMatch: '*' }, 206, 10, 10, 'bytes 10-19/100'],
    ['a part of what was replaced', { range: 'bytes=10-19', ifMatch: '"old"' }, 412, 0, 0, undefined],
    ['a weak validator of the same', { ifMatch: 'W/"abc"' }, 412, 0, 0, undefined],
    ['replaced, and known', { ifMatch: '"old"', ifNoneMatch: '"abc"' }, 412, 0, 0, undefined],
    ['a part of another', { range: 'bytes=10-19', ifRange: '"old"' }, 200, 0, 100, undefined],
  ])('%s', (_what, conditions, ...expected) => {
    const [status, first, lengthBytes, contentRange] = expected;
    const answer = answerAsset('ipxe.efi', asset, conditions);
    expect(answer).toMatchObject({ status, first, lengthBytes });
    expect(answer.headers['Content-Range']).toBe(contentRange);
    expect(answer.headers['Content-Length']).toBe(status === 304 ? undefined : String(lengthBytes));
    expect(answer.headers['ETag']).toBe('"abc"');
  });

  it.each([
    ['ipxe.efi', 'application/efi'],
    ['a/BOOT.EFI', 'application/efi'],
    ['debian.iso', 'application/vnd.efi-iso'],
    ['vmlinuz', 'application/octet-stream'],
    ['x.constructor', 'application/octet-stream'],
  ])('%s is of type %s', (name, type) => {
    expect(answerAsset(name, asset, {}).headers['Content-Type']).toBe(type);
  });

  it('lets caches keep only what never changes under its name', () => {
    expect(answerAsset('a', asset, {}).headers['Cache-Control']).toBe('no-cache');
    expect(answerAsset('a', { ...asset, immutable: true }, {}).headers['Cache-Control']).toContain(
      'immutable',
    );
  });
});
