/**
 * The leading daemon of a region is killed for good, at each step of a machine's life, and the one that takes over has another address: the
 * machine finds it and ends where it would have ended. A download that breaks with its daemon may cost an attempt; nothing else is written twice.
 */
import { spawnSync } from 'node:child_process';
import type { TaskId } from '@lpmos/core';
import { fleetMac, when } from '@lpmos/simulator';
import type { MachineOptions } from '@lpmos/simulator';
import { itWhen } from '../integration/harness/it-when';
import { judge } from './checker';
import { approve, liveUntilUp, newMachine, orderInstall, untilStatus } from './harness/life';
import { REGION, startSite, until } from './harness/site';
import type { Site } from './harness/site';

jest.setTimeout(120_000);

const SESSION_SECONDS = 3;
/** What the machine passes by itself, and what is seen in etcd. */
const POINTS = ['kernel-loaded', 'write-half'] as const;
const EVENTS = ['hardware_reported', 'approved', 'install_succeeded'] as const;
type Step = (typeof POINTS)[number] | (typeof EVENTS)[number];
const STEPS: readonly Step[] = [...POINTS, ...EVENTS];

/** The second daemon's address, which loopback does not list by itself. */
const SECOND = ['addr', 'add', '127.0.0.2/32', 'dev', 'lo'];
const isRoot = process.getuid?.() === 0;
const test = itWhen(isRoot ? undefined : 'a second address on loopback needs root');
let site: Site;
beforeAll(() => {
  if (isRoot) spawnSync('ip', SECOND);
});
afterAll(() => {
  if (isRoot) spawnSync('ip', SECOND.with(1, 'del'));
});

const eventsOf = (id: TaskId): string[] => site.tasks.get(id)?.timeline.map(({ event }) => event) ?? [];

/** Kills the leader once; a machine goes on when it is dead. */
function hooksFor(step: Step, mac: string): Partial<MachineOptions> {
  const strike = (): Promise<void> => site.kill('regional daemon');
  const point = POINTS.find((one) => one === step);
  if (point !== undefined) return { hooks: when({ point }, strike) };
  const stop = site.tasks.onChange(({ id }) => {
    if (site.tasks.get(id)?.metadata.target_mac !== mac || !eventsOf(id).includes(step)) return;
    stop();
    void strike();
  });
  return {};
}

test.each(STEPS)('a machine whose daemon dies at %s is installed by the other one', async (step) => {
  site = await startSite({ withPartner: true, sessionSeconds: SESSION_SECONDS });
  const mac = fleetMac(230, STEPS.indexOf(step));
  const machine = newMachine(site, mac, hooksFor(step, mac));
  try {
    const id = await orderInstall(site.stack.api, mac);
    const [outcome] = await Promise.all([liveUntilUp(machine), approve(site, site.stack.api, id)]);
    expect(outcome.kind).toBe('host-up');
    await until('the host_up event', () => eventsOf(id).includes('host_up'));
    expect(site.tasks.get(id)?.status).toBe('completed');
    await site.stack.daemon.exited;
    const attempts = eventsOf(id).filter((event) => event === 'install_started').length;
    expect(attempts).toBeLessThanOrEqual(step === 'write-half' ? 2 : 1);
    const found = { entries: await site.everything(), disks: machine.disks(), acknowledged: [id] };
    expect(judge(found)).toEqual([]);
  } finally {
    await machine.close();
    await site.stop();
  }
});

test('a machine whose daemon is cut off from etcd is installed by the other one, which leads by then', async () => {
  site = await startSite({ withPartner: true, sessionSeconds: SESSION_SECONDS });
  const { partner } = site;
  if (partner === undefined) throw new Error('no partner');
  const leader = async (): Promise<string | undefined> =>
    (await site.everything()).find(({ key }) => key === `/lpmos/regions/${REGION}/leader`)?.value;
  const mac = fleetMac(231, 0);
  const dhcpServer = { address: '127.0.0.1', port: partner.dhcpPort };
  const machine = newMachine(site, mac, { network: { ...site.network, dhcpServer } });
  try {
    await site.kill('regional daemon');
    await until('the second daemon leads', async () => (await leader()) === 'node2');
    await site.restart('regional daemon');
    const id = await orderInstall(site.stack.api, mac);
    const life = liveUntilUp(machine);
    await untilStatus(site, id, 'pending_approval');
    partner.toEtcd.cut();
    await until('the first daemon leads', async () => (await leader()) === 'node1');
    const [outcome] = await Promise.all([life, approve(site, site.stack.api, id)]);
    expect(outcome.kind).toBe('host-up');
    await until('the host_up event', () => eventsOf(id).includes('host_up'));
    const found = { entries: await site.everything(), disks: machine.disks(), acknowledged: [id] };
    expect(judge(found)).toEqual([]);
  } finally {
    await machine.close();
    await site.stop();
  }
});
