/** The files of deploy/ against the code: every setting exists and reads, and the etcd roles name the ranges that the code uses. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRegionId, regionTag } from '@lpmos/core';
import { CONTROL_PLANE_CONFIG } from '@lpmos/control-plane';
import { REGIONAL_DAEMON_CONFIG } from '@lpmos/regional-daemon';
import { ConfigError, readConfig, readConfigFile } from '@lpmos/runtime';
import type { ConfigTable } from '@lpmos/runtime';
import { tasksRange } from '@lpmos/store';
import { itWhen } from './harness/it-when';

const BARE = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

function missingProgram(name: string): string | undefined {
  const isThere = spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
  return isThere ? undefined : `no ${name} here; install it`;
}

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

  describe('the units of systemd', () => {
    const socketUnit = (device: string): string =>
      execFileSync('sh', [join(DEPLOY, 'dhcp-socket.sh'), device], { encoding: 'utf8' });
    const valuesOf = (unit: string, key: string): readonly string[] =>
      [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value ?? '');

    it('pass in the sockets that the daemon looks for', () => {
      const unit = socketUnit('eth1');
      expect(valuesOf(unit, 'ListenDatagram')).toEqual(['0.0.0.0:67', '0.0.0.0:4011', '0.0.0.0:68']);
      expect(valuesOf(unit, 'BindToDevice')).toEqual(['eth1']);
      // What the daemon calls it: packages/regional-daemon/src/links/sockets.ts.
      expect(valuesOf(unit, 'FileDescriptorName')).toEqual(['lpmos-eth1']);
      const boot = readFileSync(join(DEPLOY, 'systemd', 'lpmos-boot@.socket'), 'utf8');
      expect([...valuesOf(boot, 'ListenDatagram'), ...valuesOf(boot, 'ListenStream')]).toEqual([
        '%i:69',
        '%i:80',
      ]);
      const [service] = valuesOf(unit, 'Service');
      expect(readdirSync(join(DEPLOY, 'systemd'))).toContain(service);
    });

    it.each(['', 'eth1; rm -rf /', '../x', 'sixteen-letters0'])(
      'are made for no interface called "%s"',
      (device) => {
        expect(() =>
          execFileSync('sh', [join(DEPLOY, 'dhcp-socket.sh'), device], { stdio: 'pipe' }),
        ).toThrow();
      },
    );

    it('give the daemon no right, and reload it by the signal that it knows', () => {
      const unit = readFileSync(join(DEPLOY, 'systemd', 'lpmos-regional-daemon.service'), 'utf8');
      expect(valuesOf(unit, 'CapabilityBoundingSet')).toEqual(['']);
      expect(valuesOf(unit, 'AmbientCapabilities')).toEqual([]);
      expect(valuesOf(unit, 'ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
    });

    itWhen(missingProgram('systemd-analyze'))('are right in the eyes of systemd', () => {
      const dir = mkdtempSync(join(tmpdir(), 'lpmos-units-'));
      try {
        cpSync(join(DEPLOY, 'systemd'), dir, { recursive: true });
        writeFileSync(join(dir, 'lpmos-dhcp-eth1.socket'), socketUnit('eth1'));
        cpSync(join(dir, 'lpmos-boot@.socket'), join(dir, 'lpmos-boot@10.20.0.2.socket'));
        for (const name of readdirSync(dir).filter((file) => file.endsWith('.service'))) {
          const text = readFileSync(join(dir, name), 'utf8');
          // The programs are not installed here.
          writeFileSync(join(dir, name), text.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true'));
        }
        const units = readdirSync(dir).filter(
          (file) => /\.(?:service|socket)$/.test(file) && !file.includes('@.'),
        );
        expect(units).toHaveLength(4);
        const { status, stderr } = spawnSync(
          'systemd-analyze',
          ['verify', '--man=no', ...units.map((unit) => join(dir, unit))],
          { encoding: 'utf8', timeout: 60_000, env: { ...BARE, SYSTEMD_UNIT_PATH: `${dir}:` } },
        );
        // It warns of a key that it ignores and calls that a success.
        expect([status, stderr.split('\n').filter((line) => line.includes('lpmos-'))]).toEqual([0, []]);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });
  });

  it('refuses a region id that could be anything but a name', () => {
    expect(() => execFileSync('sh', [join(DEPLOY, 'etcd-roles.sh'), 'dc1; rm'], { stdio: 'pipe' })).toThrow();
  });
});
