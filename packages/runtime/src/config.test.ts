import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, defineConfig, describeConfig, readConfig, readConfigFile } from './config';
import {
  choiceType,
  fileContentType,
  integerType,
  ipv4Type,
  jsonType,
  listType,
  portType,
  textType,
  endpointType,
} from './config-types';

const TABLE = defineConfig({
  name: { env: 'LPMOS_NAME', type: textType({ describe: 'a name', pattern: /^\w+$/ }), description: 'Name' },
  port: { env: 'LPMOS_API_PORT', type: portType, default: '8080', description: 'Port' },
  level: {
    env: 'LPMOS_LOG_LEVEL',
    type: choiceType(['info', 'debug']),
    default: 'info',
    description: 'Level',
  },
  urls: {
    env: 'LPMOS_URLS',
    type: listType(endpointType),
    optional: true,
    formerly: { name: 'LPMOS_URL', change: 'a list' },
    description: 'URLs',
  },
  key: {
    env: 'LPMOS_KEY',
    type: textType({ describe: 'a key of 8 letters', pattern: /^[a-z]{8}$/ }),
    optional: true,
    secret: true,
    description: 'Key',
  },
});

function problemsOf(env: Record<string, string>, file?: unknown): readonly string[] {
  try {
    readConfig(TABLE, { env, ...(file === undefined ? {} : { file }) });
    return [];
  } catch (thrown) {
    return (thrown as ConfigError).problems;
  }
}

describe('readConfig', () => {
  it('refuses the name that a setting had, and says what it is now', () => {
    expect(problemsOf({ LPMOS_NAME: 'n', LPMOS_URL: 'http://a' })).toEqual([
      'LPMOS_URL is now LPMOS_URLS (urls in a file): a list',
    ]);
    expect(problemsOf({ LPMOS_NAME: 'n' }, { url: 'http://a' })).toEqual([
      '"url" in the configuration file is now LPMOS_URLS (urls in a file): a list',
    ]);
  });

  it('takes defaults, then the file, then the environment', () => {
    const file = { name: 'file', api_port: 1, log_level: 'debug' };
    const config = readConfig(TABLE, { env: { LPMOS_API_PORT: '2', HOME: '/root' }, file });
    expect(config).toEqual({ name: 'file', port: 2, level: 'debug' });
    expect(readConfig(TABLE, { env: { LPMOS_NAME: 'env' } }).port).toBe(8080);
  });

  it('reports every problem at once, each with its name and its rule', () => {
    const problems = problemsOf({ LPMOS_API_PORT: '70000', LPMOS_URLS: 'ftp://x', LPMOS_LOG_LEVEL: 'loud' });
    expect(problems).toEqual([
      'LPMOS_NAME is required: Name (a name)',
      'LPMOS_API_PORT=70000: must be a whole number from 0 to 65535',
      'LPMOS_LOG_LEVEL=loud: must be one of info, debug',
      'LPMOS_URLS=ftp://x: must be http://host:port or https://host:port',
    ]);
  });

  it('refuses names it does not know, in the environment and in the file', () => {
    expect(problemsOf({ LPMOS_NAME: 'a', LPMOS_NAEM: 'b' }, { nmae: 'c' })).toEqual([
      'LPMOS_NAEM is not a setting of this program; see --help',
      '"nmae" in the configuration file is not a setting of this program; see --help',
    ]);
    expect(problemsOf({ LPMOS_NAME: 'a', LPMOS_CONFIG_FILE: 'x', OTHER: 'y' })).toEqual([]);
  });

  it.each([[['a']], ['text'], [7]])('refuses a file that is no mapping: %j', (file) => {
    expect(problemsOf({ LPMOS_NAME: 'a' }, file)).toEqual([
      'the configuration file must be a mapping of settings',
    ]);
  });

  it('takes an empty file for no settings', () => {
    expect(problemsOf({ LPMOS_NAME: 'a' }, null)).toEqual([]);
  });

  it('gives each problem of a structured setting a line of its own, without pages of JSON', () => {
    const links = defineConfig({
      links: {
        env: 'LPMOS_LINKS',
        type: jsonType({
          describe: 'links',
          parse: () => ({ problems: ['links[0].a is wrong', 'links[1] too'] }),
        }),
        description: 'Links',
      },
    });
    const text = JSON.stringify(['x'.repeat(500)]);
    const read = () => readConfig(links, { env: { LPMOS_LINKS: text } });
    expect(read).toThrow(
      `LPMOS_LINKS=${text.slice(0, 100)}…: links[0].a is wrong\n  - LPMOS_LINKS: links[1] too`,
    );
  });

  it('never prints a secret, neither when it is right nor when it is wrong', () => {
    expect(problemsOf({ LPMOS_NAME: 'a', LPMOS_KEY: 'hunter2' })).toEqual([
      'LPMOS_KEY=[secret]: must be a key of 8 letters',
    ]);
    const text = describeConfig(TABLE, { env: { LPMOS_NAME: 'a', LPMOS_KEY: 'abcdefgh' } });
    expect(text).not.toContain('abcdefgh');
    expect(text.split('\n').slice(0, 2)).toEqual(['LPMOS_NAME=a  # set', 'LPMOS_API_PORT=8080  # default']);
  });
});

describe('the kinds of settings', () => {
  const json = jsonType({
    describe: 'a pair',
    parse: (value) => (Array.isArray(value) ? { value } : { problems: ['must be a list', 'and short'] }),
  });
  it.each([
    [integerType({ min: 1, max: 5 }), ['1', '5'], ['0', '6', '1.5', '1e0', '', ' 1', '0x1']],
    [portType, ['0', '65535'], ['-1', '65536']],
    [ipv4Type, ['10.77.0.1', '255.255.255.255'], ['10.77.0', '10.77.0.256', '10.77.0.1.', '::1', '']],
    [endpointType, ['http://a:1', 'https://[::1]:2379'], ['a:1', 'http://a', 'http://a:1/c', 'file:///x']],
    [listType(portType), ['1', '1, 2'], ['', '1,', '1,x']],
    [choiceType(['a', 'b']), ['a'], ['A', '']],
    [json, ['[1]'], ['{}', '[']],
  ])('%# takes what it describes and nothing else', (type, good, bad) => {
    for (const text of good) expect(type.read(text)).toHaveProperty('value');
    for (const text of bad) expect(type.read(text)).toHaveProperty('problem');
  });

  it('tells all problems of a structured setting', () => {
    expect(json.read('{}')).toEqual({ problem: 'must be a list', more: ['and short'] });
  });
});

describe('files', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'lpmos-config-'))));
  afterEach(() => rmSync(dir, { recursive: true }));
  const write = (text: string): string => {
    const path = join(dir, 'file');
    writeFileSync(path, text);
    return path;
  };

  it('come in with their content, and never empty or missing', () => {
    const path = write('-----BEGIN-----\n');
    expect(fileContentType.read(path)).toEqual({ value: { path, text: '-----BEGIN-----\n' } });
    expect(fileContentType.read(write(' \n'))).toEqual({ problem: `${path} is empty` });
    expect(fileContentType.read(join(dir, 'none'))).toHaveProperty('problem');
  });

  it('of settings are YAML, whose structures reach structured settings', () => {
    expect(readConfigFile(write('name: a\nurls: [x]\n'))).toEqual({ name: 'a', urls: ['x'] });
    expect(() => readConfigFile(write('name: [a'))).toThrow(ConfigError);
    expect(() => readConfigFile(join(dir, 'none'))).toThrow(join(dir, 'none'));
  });
});
