/**
 * The inner half of the quickstart, alone in its network namespace: bridge, etcd, control plane, region "lab", one machine.
 * One continuous machine: power-on, network boot, agent, approval, write, its own reboot, disk boot, check-in.
 * Ends with 0 only when the machine checked in from its disk. Ctrl-C at any moment ends everything.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../lab/machine';
import { startMachine } from '../lab/machine';
import { forwardFromNamespace } from '../lab/namespace';
import { createBridge, createTap } from '../lab/network';
import { probeAccelerator } from '../lab/accelerator';
import { startStack } from '../stack/stack';
import type { Stack } from '../stack/stack';
import { signToken } from '../stack/token';
import type { QuickstartArgs } from './arguments';
import type { MachineArtefacts } from './artefacts';
import { createCommandLine, INTERRUPTED } from './command-line';
import type { CommandLine } from './command-line';
import { LAB_LINK, LAB_MACHINE } from './lab-site';
import { markOfLogLine, renderPhases } from './phases';
import type { Mark } from './phases';
import { createSteps } from './steps';

interface InsideSettings {
  readonly args: QuickstartArgs;
  readonly dir: string;
  readonly socketPath: string;
  readonly apiPort: number;
  readonly artefacts: MachineArtefacts;
}

const steps = createSteps();

async function run(settings: InsideSettings): Promise<number> {
  const { dir, artefacts } = settings;
  const marks: Mark[] = [];
  const installed = (): boolean => marks.some(({ name }) => name === 'install-succeeded');
  steps.begin('network, etcd, control plane and region "lab"');
  await createBridge({ name: LAB_LINK.bridge, address: LAB_LINK.bridgeAddress });
  await createTap({ name: LAB_MACHINE.tap, bridge: LAB_LINK.bridge });
  const stack = await startStack({
    dir,
    regionId: 'lab',
    serviceAddress: LAB_LINK.serviceAddress,
    ramdiskDir: artefacts.ramdiskDir,
    imagesDir: artefacts.imagesDir,
    dhcpLink: LAB_LINK.dhcp,
    ports: { api: 8080, tftp: 69, http: 80, agentApi: 8081, agentGrpc: 8082 },
    onStep: (text) => steps.note(text),
    onDaemonLine: (line) => {
      const mark = markOfLogLine(line, installed());
      if (mark !== undefined) marks.push(mark);
    },
  });
  const forward = await forwardFromNamespace({
    socketPath: settings.socketPath,
    host: '127.0.0.1',
    port: 8080,
  });
  steps.end(`region ready ${(stack.daemon.readyAfterMs / 1000).toFixed(2)} s after its start`);
  const tokenFile = join(dir, 'token');
  const sign = { keyFile: stack.keys.tokenKeyFile, subject: 'operator@lab', roles: ['admin'] as const };
  writeFileSync(tokenFile, signToken(sign), { mode: 0o600 });
  const cli = createCommandLine({ url: stack.apiUrl, tokenFile });
  let machine: Machine | undefined;
  try {
    machine = await powerOn(settings, marks, () => createTask(cli, dir));
    const code = await life(settings, { cli, stack, marks, machine, tokenFile });
    return code;
  } finally {
    await machine?.kill();
    await forward.close();
    await stack.stop();
  }
}

async function createTask(cli: CommandLine, dir: string): Promise<void> {
  const keyFile = join(dir, 'ssh-key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'lpmos-quickstart', '-f', keyFile]);
  const task = ['--region', 'lab', '--mac', LAB_MACHINE.mac, '--os', 'debian', '--os-version', '12'];
  const code = await cli.show(
    'task',
    'create',
    ...task,
    '--hostname',
    'first',
    '--ssh-key',
    `${keyFile}.pub`,
  );
  if (code !== 0) throw new Error('the task could not be created');
}

async function powerOn(
  settings: InsideSettings,
  marks: Mark[],
  order: () => Promise<void>,
): Promise<Machine> {
  const { dir, artefacts, args } = settings;
  const accelerator = await probeAccelerator({ kernel: artefacts.kernel });
  await order();
  const consoleLog = join(dir, 'console.log');
  steps.begin(`power on the machine ${LAB_MACHINE.mac} (${accelerator.kind}: ${accelerator.reason})`);
  steps.note(`its console: ${consoleLog}`);
  marks.push({ name: 'power-on', atMs: Date.now() });
  return startMachine({
    ...LAB_MACHINE,
    memoryMiB: args.memoryMiB,
    disk: { ...LAB_MACHINE.disk, path: join(dir, 'disk.raw') },
    firmware: 'bios',
    accelerator: accelerator.kind,
    consoleLog,
  });
}

interface LifeParts {
  readonly cli: CommandLine;
  readonly stack: Stack;
  readonly marks: Mark[];
  readonly machine: Machine;
  readonly tokenFile: string;
}

async function life(settings: InsideSettings, parts: LifeParts): Promise<number> {
  const { cli, marks, machine } = parts;
  const { yes } = settings.args;
  const died = machine.exited.then(({ errorOutput }) => {
    throw new Error(`the machine ended by itself: ${errorOutput || 'no word from QEMU'}`);
  });
  died.catch(() => undefined);
  const step = async (...words: string[]): Promise<void> => {
    const code = await Promise.race([cli.show(...words), died]);
    if (code === INTERRUPTED) process.exit(INTERRUPTED);
    if (code !== 0) throw new Error(`lpmos ${words.join(' ')} ended with ${code}`);
  };
  await step('task', 'watch', '@latest', '--until', 'pending_approval');
  await step('task', 'approve', '@latest', ...(yes ? ['--yes'] : []));
  await step('task', 'watch', '@latest', '--until', 'host_up');
  marks.push(...(await timelineMarks(parts.stack)));
  process.stdout.write(`\nWhere the seconds went:\n${renderPhases(marks)}\n\n`);
  process.stdout.write(
    `The machine runs Debian from its own disk. API: http://127.0.0.1:${settings.apiPort}\n`,
  );
  if (yes) return 0;
  process.stdout.write(
    `Everything stays up until Ctrl-C. In another terminal:\n  export LPMOS_URL=http://127.0.0.1:${settings.apiPort} LPMOS_TOKEN_FILE=${parts.tokenFile}\n` +
      '  node dist/bin/lpmos.cjs task list\n',
  );
  await Promise.race([untilInterrupted(), died]);
  return 0;
}

/** What the daemon's log does not say: when a person approved, and when the host spoke up. */
async function timelineMarks(stack: Stack): Promise<Mark[]> {
  const { tasks } = await stack.api.listTasks({ limit: 1 });
  const id = tasks[0]?.task_id;
  if (id === undefined) return [];
  const { timeline } = await stack.api.getTaskTimeline(id);
  return timeline.flatMap(({ event, timestamp }): Mark[] => {
    const atMs = Date.parse(timestamp);
    if (event === 'approved') return [{ name: 'approved', atMs }];
    return event === 'host_up' ? [{ name: 'host-up', atMs }] : [];
  });
}

function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve());
  });
}

const settings = JSON.parse(process.argv[2] ?? '{}') as InsideSettings;
void Promise.race([run(settings), interruption()]).then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(`quickstart: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exit(1);
  },
);

/** A Ctrl-C in the middle: every child is in this PID namespace and ends with this process, its first one. */
async function interruption(): Promise<number> {
  await untilInterrupted();
  return INTERRUPTED;
}
