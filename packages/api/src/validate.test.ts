import { isSshPublicKey } from './fields';
import { createTaskBody, listTasksQuery } from './schemas/tasks';
import { invalidRequest, validate } from './validate';
import type { z } from 'zod';

const good = {
  region_id: 'dc1',
  target_mac: '00-1A-2B-3C-4D-5E',
  os_type: 'ubuntu',
  os_version: '22.04',
  disk_layout: 'auto',
  network_config: 'dhcp',
  tags: { environment: 'production' },
};
const ED25519 =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdpZGVvbiBzYXlzIGhlbGxvIHRvIHRoZSB3b3JsZA== someone@example.com';

function problemsOf(schema: z.ZodType, input: unknown): Record<string, string> {
  const result = validate(schema, input);
  return result.kind === 'valid'
    ? {}
    : Object.fromEntries(result.problems.map(({ path, problem }) => [path, problem]));
}

describe('createTaskBody', () => {
  it("takes the contract's example and normalises the MAC address", () => {
    const result = validate(createTaskBody, good);
    expect(result).toEqual({
      kind: 'valid',
      value: { ...good, target_mac: '00:1a:2b:3c:4d:5e', ssh_authorized_keys: [] },
    });
  });

  it('tells of every wrong field at once, in words that name the fix', () => {
    const problems = problemsOf(createTaskBody, {
      region_id: 'DC 1',
      target_mac: '01:00:5e:00:00:01',
      os_type: 7,
      disk_layout: '/dev/sda',
      network_config: 'static',
      tags: { ok: 'x', 'bad key': 'y', n: 3 },
      hostname: 'web.example.com',
      ssh_authorized_keys: ['ssh-dss AAAA', ED25519],
      status: 'approved',
      created_by: 'me',
    });
    expect(Object.keys(problems).sort()).toEqual([
      'created_by',
      'disk_layout',
      'hostname',
      'network_config',
      'os_type',
      'os_version',
      'region_id',
      'ssh_authorized_keys.0',
      'status',
      'tags.bad key',
      'tags.n',
      'target_mac',
    ]);
    expect(problems['os_type']).toBe('must be text in double quotes, not a number');
    expect(problems['os_version']).toBe('is required: text in double quotes');
    expect(problems['disk_layout']).toContain('use serial=');
    expect(problems['network_config']).toBe('must be "dhcp"');
    expect(problems['target_mac']).toContain('must be a unicast MAC address');
    expect(problems['status']).toContain('is not a field of this request');
    expect(problems['status']).toContain('region_id, target_mac');
    expect(problems['tags.bad key']).toContain('must be 1 to 63 of');
  });

  it.each([
    ['tags as a list', { tags: [] }, 'tags'],
    ['tags as text', { tags: 'a' }, 'tags'],
    ['tags as a number', { tags: 1 }, 'tags'],
    ['tags null', { tags: null }, 'tags'],
    ['a nested tag', { tags: { constructor: { prototype: {} } } }, 'tags.constructor'],
    [
      'too many tags',
      { tags: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 'v'])) },
      'tags',
    ],
    ['a long tag', { tags: { k: 'v'.repeat(64) } }, 'tags.k'],
    ['a long MAC', { target_mac: 'a'.repeat(60_000) }, 'target_mac'],
    ['a long region', { region_id: 'a'.repeat(33) }, 'region_id'],
    [
      'too many keys',
      { ssh_authorized_keys: Array.from({ length: 21 }, () => ED25519) },
      'ssh_authorized_keys',
    ],
    ['an exit method that nobody knows', { boot: { exit_method: 'grub' } }, 'boot.exit_method'],
    ['a boot order that nobody knows', { boot: { order: 'network-first' } }, 'boot.order'],
    ['a word about the boot that nobody knows', { boot: { exit: 'sanboot' } }, 'boot.exit'],
    ['a key over two lines', { ssh_authorized_keys: [`${ED25519}\nmore`] }, 'ssh_authorized_keys.0'],
  ])('refuses %s', (_name, change, path) => {
    expect(Object.keys(problemsOf(createTaskBody, { ...good, ...change }))).toContain(path);
  });

  it('refuses what is no object', () => {
    expect(problemsOf(createTaskBody, [])).toEqual({ '': 'must be an object, not a list' });
    expect(problemsOf(createTaskBody, null)).toEqual({ '': 'must be an object, not null' });
  });
});

describe('listTasksQuery', () => {
  it('reads repeated and comma-separated statuses alike', () => {
    const read = (status: string | string[]): unknown => {
      const result = validate(listTasksQuery, { status });
      return result.kind === 'valid' ? result.value.status : undefined;
    };
    expect(read('ready,booting')).toEqual(['ready', 'booting']);
    expect(read(['ready', 'booting'])).toEqual(['ready', 'booting']);
  });

  it('fills in the defaults', () => {
    expect(validate(listTasksQuery, {})).toEqual({
      kind: 'valid',
      value: { limit: 50, offset: 0, view: 'basic' },
    });
  });

  it.each(['0', '201', '-1', '1e2', '0x10', '', ' 5', '5.0', '99999999999999999999'])(
    'refuses limit=%s',
    (limit) => {
      expect(problemsOf(listTasksQuery, { limit })).toEqual({
        limit: 'must be a whole number from 1 to 200',
      });
    },
  );

  it('refuses a filter given twice where one is meant, an unknown status and an unknown parameter', () => {
    const problems = problemsOf(listTasksQuery, {
      region_id: ['dc1', 'dc2'],
      status: 'ready,done',
      tag: 'x',
      page: '2',
    });
    expect(Object.keys(problems).sort()).toEqual(['page', 'region_id', 'status', 'tag']);
  });
});

describe('isSshPublicKey', () => {
  it('takes a key whose blob names the same type', () => {
    expect(isSshPublicKey(ED25519)).toBe(true);
    expect(isSshPublicKey(ED25519.replace('ssh-ed25519', 'ssh-rsa'))).toBe(false);
    expect(isSshPublicKey(`command="x" ${ED25519}`)).toBe(false);
    expect(isSshPublicKey('ssh-ed25519 AAAA')).toBe(false);
  });
});

describe('invalidRequest', () => {
  it('says the first problem and counts the rest', () => {
    const error = invalidRequest([
      { path: 'a', problem: 'is bad' },
      { path: 'b', problem: 'too' },
    ]);
    expect(error.message).toBe('The request is invalid: a is bad (and 1 more)');
    expect(error.fields).toHaveLength(2);
  });
});
