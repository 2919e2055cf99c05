/** Request lines: what is read, what is refused, and that reading is total. */
import fc from 'fast-check';
import { readRequest } from './request';

const segments = (target: string) => {
  const read = readRequest('GET', target);
  return 'status' in read ? read : read.segments;
};
const query = (target: string) => {
  const read = readRequest('GET', target);
  return 'status' in read ? read : Object.fromEntries(read.query);
};

describe('the path', () => {
  it.each([
    ['/boot/menu.ipxe', ['boot', 'menu.ipxe']],
    ['//boot///x', ['boot', 'x']],
    ['/./a/./b/', ['a', 'b']],
    ['http://10.0.0.1:8080/boot/x', ['boot', 'x']],
    ['HTTP://host?mac=1', []],
    ['/a%20b', ['a b']],
    ['/a%252e', ['a%2e']],
    ['/images%2fx', ['images', 'x']],
    ['/x#y', ['x']],
    ['/', []],
  ])('%s is read', (target, expected) => expect(segments(target)).toEqual(expected));

  it.each([
    '/../etc/passwd',
    '/a/%2e%2e/b',
    '/a/..%2fb',
    '/a%5c..%5cb',
    '/a\\b',
    '/a%00b',
    '/a%0d%0ab',
    '/%',
    '/%c0%ae%c0%ae/',
    '/%ff',
    'boot/x',
    '*',
    'ftp://h/x',
    '',
  ])('%j is refused', (target) => expect(segments(target)).toMatchObject({ status: 400 }));

  it('has a limit', () => {
    expect(segments(`/${'a'.repeat(4095)}`)).toHaveLength(1);
    expect(segments(`/${'a'.repeat(8192)}`)).toMatchObject({ status: 414 });
  });
});

describe('the query', () => {
  it.each([
    ['/x?mac=52%3A54%3a00&uuid=u', { mac: '52:54:00', uuid: 'u' }],
    ['/x?mac=a&mac=b', { mac: 'a' }],
    ['/x?a&b=&=c', { a: '', b: '' }],
    ['/x?mac=%zz', { mac: '%zz' }],
    ['/x?a=b=c?d', { a: 'b=c?d' }],
    ['/x', {}],
  ])('of %s is read', (target, expected) => expect(query(target)).toEqual(expected));

  it('is cut to 32 parameters of 256 characters, and no name is special', () => {
    const read = readRequest('GET', `/x?__proto__=1&long=${'a'.repeat(999)}&${'k=v&'.repeat(99)}last=1`);
    if ('status' in read) throw new Error('refused');
    expect(read.query.get('__proto__')).toBe('1');
    expect(read.query.get('long')).toHaveLength(256);
    expect(read.query.has('last')).toBe(false);
  });
});

it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'get', ''])('method %j is refused', (method) => {
  expect(readRequest(method, '/')).toMatchObject({ status: 405 });
});

it('never throws and never lets a way out through', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.webUrl(),
        fc.string(),
        fc.string({ unit: 'binary' }).map((s) => `/${s}`),
      ),
      (target) => {
        const read = readRequest('HEAD', target);
        if ('status' in read) return;
        for (const segment of read.segments) expect(['', '.', '..'].includes(segment)).toBe(false);
        expect(read.segments.join('/')).not.toMatch(/[\\\0/]{2}|\\|\0/);
      },
    ),
  );
});
