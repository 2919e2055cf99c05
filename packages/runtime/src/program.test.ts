import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, defineConfig } from './config';
import { portType, textType } from './config-types';
import { runProgram } from './program';
import type { Program } from './program';
import type { Component } from './run-group';

const TABLE = defineConfig({
  name: { env: 'LPMOS_NAME', type: textType({ describe: 'a name' }), description: 'Name of it' },
  port: { env: 'LPMOS_API_PORT', type: portType, default: '1', description: 'Port of it' },
});

const endless: Component = {
  name: 'endless',
  start: (signal) =>
    Promise.resolve({
      done: new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    }),
};

/** Asks for the end once everything before it has started. */
const stopper = (stop: AbortController): Component => ({
  name: 'stopper',
  start: (signal) => {
    stop.abort();
    return endless.start(signal);
  },
});

async function run(
  args: readonly string[],
  env: Record<string, string> = {},
  components: Program<typeof TABLE>['components'] = () => [endless],
) {
  const out: string[] = [];
  const errors: string[] = [];
  const stop = new AbortController();
  const code = await runProgram(
    {
      ...{ name: 'lpmos-test', version: '1.2.3', summary: 'tests', table: TABLE, examples: ['lpmos-test'] },
      logLevel: () => 'silent',
      components: async (config, context) => [...(await components(config, context)), stopper(stop)],
    },
    {
      args,
      env,
      print: (text) => out.push(text),
      printError: (text) => errors.push(text),
      signal: stop.signal,
    },
  );
  return { code, out: out.join('\n'), errors: errors.join('\n') };
}

describe('a program', () => {
  it('explains itself without any setting', async () => {
    const help = await run(['--help']);
    expect(help.code).toBe(0);
    for (const words of ['LPMOS_NAME', 'Name of it (a name; required)', 'default 1', '--print-config']) {
      expect(help.out).toContain(words);
    }
    expect(await run(['--version'])).toMatchObject({ code: 0, out: 'lpmos-test 1.2.3' });
  });

  it.each([[['--nonsense']], [['--config']], [['extra']]])(
    'ends with 2 for the arguments %j',
    async (args) => {
      const { code, errors } = await run(args);
      expect(code).toBe(2);
      expect(errors).toContain('--help');
    },
  );

  it('ends with 78 and every problem for a wrong configuration', async () => {
    const { code, errors } = await run([], { LPMOS_API_PORT: 'x', LPMOS_OTHER: 'y' });
    expect(code).toBe(78);
    for (const name of ['LPMOS_NAME', 'LPMOS_API_PORT=x', 'LPMOS_OTHER']) expect(errors).toContain(name);
    expect((await run(['--config', '/nowhere/at/all'])).code).toBe(78);
    const late = await run([], { LPMOS_NAME: 'a' }, () => {
      throw new ConfigError(['LPMOS_NAME is taken']);
    });
    expect(late).toMatchObject({ code: 78 });
    expect(late.errors).toContain('LPMOS_NAME is taken');
  });

  it('prints the configuration that it would run with, and runs not', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lpmos-program-'));
    writeFileSync(join(dir, 'c.yaml'), 'name: from-file\n');
    const components = jest.fn(() => [endless]);
    const { code, out } = await run(['--print-config', '--config', join(dir, 'c.yaml')], {}, components);
    rmSync(dir, { recursive: true });
    expect([code, out]).toEqual([0, 'LPMOS_NAME=from-file  # set\nLPMOS_API_PORT=1  # default']);
    expect(components).not.toHaveBeenCalled();
  });

  it('ends with 0 when it was asked to, and with 1 when a part failed', async () => {
    expect(await run([], { LPMOS_NAME: 'a' })).toMatchObject({ code: 0 });
    const failing: Component = { name: 'bad', start: () => Promise.reject(new Error('no socket')) };
    expect(await run([], { LPMOS_NAME: 'a' }, () => [failing])).toMatchObject({ code: 1 });
  });

  it('reads its file again on a hangup', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lpmos-program-'));
    const file = join(dir, 'config.yaml');
    const told: unknown[] = [];
    let hangUp: () => void = () => undefined;
    const stop = new AbortController();
    try {
      writeFileSync(file, 'name: one');
      const code = await runProgram(
        {
          ...{ name: 'lpmos-test', version: '1', summary: 'tests', table: TABLE, examples: [] },
          logLevel: () => 'silent',
          components: (_config, { onReload }) => {
            onReload((read) => void told.push(read));
            writeFileSync(file, 'name: two');
            hangUp();
            return [endless, stopper(stop)];
          },
        },
        {
          ...{ args: ['--config', file], env: {}, print: () => undefined, printError: () => undefined },
          signal: stop.signal,
          onHangup: (listener) => {
            hangUp = listener;
          },
        },
      );
      expect(code).toBe(0);
      expect(told).toEqual([{ config: { name: 'two', port: 1 } }]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
