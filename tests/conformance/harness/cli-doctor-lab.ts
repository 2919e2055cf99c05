/**
 * A switch with three hosts in network namespaces: the region, another DHCP server, and the operator on whose host `lpmos doctor` runs; the
 * operator's host is the switch. Owns and removes what it makes. Needs root, iproute2 and openssl.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { DhcpLink } from '@lpmos/netboot';
import type { DoctorRegionSettings } from './cli-doctor-region';
import { LAB_LINK } from './netboot-dhcp-lab';

const REGION_PROGRAM = resolve(__dirname, 'cli-doctor-region.ts');
const CLI_PROGRAM = resolve(__dirname, '../../../packages/cli/src/main.ts');
const START_WITHIN_MS = 30_000;
const COMMAND_WITHIN_MS = 60_000;
const CARRIER_WITHIN_SECONDS = 20;
export const REGION = '10.77.0.1';
export const OPERATOR = '10.77.0.2';
export const FOREIGN = '10.77.0.9';

export interface DoctorReport {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** `check: verdict` by check. */
  readonly verdicts: Readonly<Record<string, string>>;
  readonly seconds: number;
  text(check: string): string;
}

export interface DoctorLab {
  readonly spaces: { readonly region: string; readonly foreign: string; readonly operator: string };
  /** The operator's end of the cable to the region. */
  readonly port: string;
  startRegion(
    settings?: Partial<Omit<DoctorRegionSettings, 'link'>> & { link?: Partial<DhcpLink> },
  ): Promise<void>;
  stopRegion(): Promise<void>;
  /** Starts a program of another host of the network. */
  startForeign(program: string, ...args: readonly string[]): void;
  doctor(...words: readonly string[]): Promise<DoctorReport>;
  inside(space: string, ...command: readonly string[]): void;
  close(): Promise<void>;
}

let labs = 0;

export function openDoctorLab(): DoctorLab {
  labs += 1;
  const tag = `${process.pid % 100_000}x${labs}`;
  const spaces = { region: `lpdr${tag}`, foreign: `lpdf${tag}`, operator: `lpdo${tag}` };
  const port = `dp${tag}`;
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-doctor-'));
  for (const space of Object.values(spaces)) run('ip', 'netns', 'add', space);
  const operator = ['-n', spaces.operator];
  run('ip', ...operator, 'link', 'add', 'br0', 'type', 'bridge');
  cable(spaces.region, REGION, port);
  cable(spaces.foreign, FOREIGN, `df${tag}`);
  run('ip', ...operator, 'addr', 'add', `${OPERATOR}/24`, 'dev', 'br0');
  run('ip', ...operator, 'link', 'set', 'br0', 'up');
  run('ip', ...operator, 'link', 'set', 'lo', 'up');
  // A bridge has its carrier a moment after its ports have theirs; until then the host does not count it as up.
  const isUp = 'until [ "$(cat /sys/class/net/br0/operstate)" = up ]; do sleep 0.02; done';
  run('ip', 'netns', 'exec', spaces.operator, 'timeout', String(CARRIER_WITHIN_SECONDS), 'sh', '-c', isUp);
  const tls = certificate(folder);
  const children = new Set<ChildProcess>();
  let region: ChildProcess | undefined;

  function cable(space: string, address: string, name: string): void {
    run(
      'ip',
      'link',
      'add',
      'eth0',
      'netns',
      space,
      'type',
      'veth',
      'peer',
      'name',
      name,
      'netns',
      spaces.operator,
    );
    run('ip', '-n', space, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    run('ip', '-n', space, 'link', 'set', 'eth0', 'up');
    run('ip', ...operator, 'link', 'set', name, 'master', 'br0');
    run('ip', ...operator, 'link', 'set', name, 'up');
  }
  const start = (space: string, command: readonly string[]): ChildProcess => {
    const child = spawn('ip', ['netns', 'exec', space, ...command], { stdio: 'pipe' });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };
  return {
    ...{ spaces, port },
    async startRegion({ link, ...more } = {}) {
      const settings: DoctorRegionSettings = {
        ...{ decision: 'agent', bootServer: true, problems: [], ...tls, ...more },
        link: {
          ...LAB_LINK,
          ...link,
          boot: { ...LAB_LINK.boot, loaders: { bios: 'undionly.kpxe', x64: 'snponly.efi' } },
        },
      };
      region = start(spaces.region, [
        process.execPath,
        '--import',
        'tsx',
        REGION_PROGRAM,
        JSON.stringify(settings),
      ]);
      await ready(region);
    },
    async stopRegion() {
      if (region !== undefined) await end(region);
    },
    startForeign: (program, ...args) => void start(spaces.foreign, [program, ...args]),
    doctor: async (...words) => {
      const command = [
        process.execPath,
        '--import',
        'tsx',
        CLI_PROGRAM,
        'doctor',
        '--interface',
        'br0',
        '-o',
        'json',
      ];
      const begun = performance.now();
      const child = start(spaces.operator, [...command, ...words]);
      return report(child, begun);
    },
    inside: (space, ...command) => run('ip', 'netns', 'exec', space, ...command),
    async close() {
      await Promise.all([...children].map(end));
      for (const space of Object.values(spaces)) spawnSync('ip', ['netns', 'del', space]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function report(child: ChildProcess, begun: number): Promise<DoctorReport> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (part: Buffer) => (stdout += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (stderr += part.toString()));
  const late = setTimeout(() => child.kill('SIGKILL'), COMMAND_WITHIN_MS);
  const exitCode = await new Promise<number | null>((gone) => child.once('close', gone));
  clearTimeout(late);
  const findings = (stdout === '' ? [] : (JSON.parse(stdout) as { findings: Finding[] }).findings) ?? [];
  return {
    ...{ exitCode, stdout, stderr, seconds: (performance.now() - begun) / 1000 },
    verdicts: Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict])),
    text: (check) => {
      const found = findings.find((each) => each.check === check);
      return found === undefined ? '' : `${found.finding} / ${found.fix ?? ''}`;
    },
  };
}

interface Finding {
  readonly check: string;
  readonly verdict: string;
  readonly finding: string;
  readonly fix?: string;
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let errors = '';
    const late = setTimeout(() => reject(new Error(`the region did not start: ${errors}`)), START_WITHIN_MS);
    child.stderr?.on('data', (part: Buffer) => (errors += part.toString()));
    child.stdout?.once('data', () => (clearTimeout(late), resolve()));
    child.once('close', () => reject(new Error(`the region ended: ${errors}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await gone;
}

function certificate(folder: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  run(
    'openssl',
    'req',
    '-x509',
    ...curve,
    '-subj',
    '/CN=lab.example',
    '-days',
    '90',
    '-keyout',
    key,
    '-out',
    cert,
  );
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

function run(program: string, ...args: readonly string[]): void {
  const done = spawnSync(program, args, { encoding: 'utf8', timeout: COMMAND_WITHIN_MS });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr}`);
}
