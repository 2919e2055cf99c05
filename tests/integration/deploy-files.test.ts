/** The files of deploy/ against the code: every setting exists and reads, and the etcd roles name the ranges that the code uses. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parseRegionId, regionTag } from '@lpmos/core';
import { CONTROL_PLANE_CONFIG } from '@lpmos/control-plane';
import { REGIONAL_DAEMON_CONFIG } from '@lpmos/regional-daemon';
import { ConfigError, readConfig, readConfigFile } from '@lpmos/runtime';
import type { ConfigTable } from '@lpmos/runtime';
import { tasksRange } from '@lpmos/store';

const DEPLOY = join(__dirname, '..', '..', 'deploy');

function problemsOf(table: ConfigTable, file: string): readonly string[] {
  try {
    readConfig(table, { env: {}, file: readConfigFile(join(DEPLOY, 'etc', file)) });
    return [];
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems;
    throw thrown;
  }
}

describe('deploy', () => {
  it.each<[string, ConfigTable]>([
    ['control-plane.yaml', CONTROL_PLANE_CONFIG],
    ['region.yaml', REGIONAL_DAEMON_CONFIG],
  ])(
    '%s has only settings that exist and values that read, but for key files that are not here',
    (file, table) => {
      const problems = problemsOf(table, file);
      expect(problems.filter((problem) => !problem.includes('cannot read /'))).toEqual([]);
      expect(problems.length).toBeGreaterThan(0);
    },
  );

  it('grants a region exactly the range of its own tasks', () => {
    const script = execFileSync('sh', [join(DEPLOY, 'etcd-roles.sh'), 'dc1'], { encoding: 'utf8' });
    const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
    const range = tasksRange(regionTag(parseRegionId('dc1'), sha256));
    expect(script).toContain(`readwrite --prefix=true ${range.start}\n`);
    expect(script).not.toMatch(/--prefix=true \/lpmos\/(?:tasks\/)?\n/);
  });

  it('refuses a region id that could be anything but a name', () => {
    expect(() => execFileSync('sh', [join(DEPLOY, 'etcd-roles.sh'), 'dc1; rm'], { stdio: 'pipe' })).toThrow();
  });
});
