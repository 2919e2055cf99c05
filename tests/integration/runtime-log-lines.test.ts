/** A process that ends, however it ends by itself, leaves no log line behind: they are gathered and written in batches. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const LOGGER = join(__dirname, '..', '..', 'packages', 'runtime', 'src', 'logger.ts');

describe('lines on standard error', () => {
  const endedBy = (end: string): string[] => {
    const program = `
      const { createLogger } = require(${JSON.stringify(LOGGER)});
      const logger = createLogger({ name: 'x', level: 'info' });
      for (let index = 0; index < 5000; index += 1) logger.info({ index }, 'a line that must not be lost');
      ${end}`;
    const argv = ['--require', 'tsx/cjs', '-e', program];
    const { stderr } = spawnSync(process.execPath, argv, {
      encoding: 'utf8',
      maxBuffer: 16 * 1024 * 1024,
      timeout: 30_000,
    });
    return stderr.split('\n').filter((line) => line.includes('must not be lost'));
  };

  it.each([
    ['its work is done', ''],
    ['it exits in the middle of a turn', 'process.exit(3);'],
    ['nobody catches an error', `throw new Error('fatal');`],
  ])('are all written when %s', (_when, end) => {
    const lines = endedBy(end);
    expect(lines).toHaveLength(5000);
    expect(lines.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual(
      Array.from({ length: 5000 }, (_none, index) => index),
    );
  });
});
