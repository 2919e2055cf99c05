/**
 * What the region does while something is missing: files that it should serve, or etcd. It says so (health, explain, 503), goes on with what it
 * can (machines it knows boot from its memory), and needs nobody once what was missing is back.
 */
import { cpSync, renameSync } from 'node:fs';
import { fleetMac } from '@lpmos/simulator';
import type { Machine } from '@lpmos/simulator';
import { approve, insist, liveUntilUp, newMachine, orderInstall, untilStatus } from '../chaos/harness/life';
import { REGION, startSite, until } from '../chaos/harness/site';
import type { Site } from '../chaos/harness/site';
import { signToken } from '../../scripts/stack/token';
import { callAgentApi, fetchScript } from './harness/region-agent';
import type { Answer } from './harness/region-agent';

jest.setTimeout(120_000);

const health = (site: Site): Promise<Answer> => callAgentApi(site, { path: '/health', method: 'GET' });

/** Without the typed client, which does not show headers. */
function createByHand(site: Site, mac: string): Promise<Response> {
  const { keys, apiUrl } = site.stack;
  const token = signToken({ keyFile: keys.tokenKeyFile, subject: 'outage', roles: ['admin'] });
  const task = { region_id: REGION, target_mac: mac, os_type: 'debian', os_version: '12' };
  return fetch(`${apiUrl}/api/v1/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...task, disk_layout: 'auto', network_config: 'dhcp' }),
    signal: AbortSignal.timeout(30_000),
  });
}

describe('a region without its files', () => {
  let site: Site;
  const away = (dir: string): string => `${dir}-elsewhere`;
  beforeAll(async () => {
    site = await startSite({
      prepare: ({ imagesDir, ramdiskDir }) => {
        for (const dir of [imagesDir, ramdiskDir]) renameSync(dir, away(dir));
      },
    });
  });
  afterAll(() => site.stop());

  it('says what is missing, and goes on by itself once it was copied there', async () => {
    const sick = await health(site);
    expect(sick).toMatchObject({ status: 503, body: { status: 'degraded' } });
    expect(sick.headers['retry-after']).toBeDefined();
    expect(JSON.stringify(sick.body)).toContain(site.imagesDir);
    expect(JSON.stringify(sick.body)).toContain(site.ramdiskDir);

    const { api } = site.stack;
    const id = await orderInstall(api, fleetMac(400, 1));
    await until('the reason', () => site.tasks.get(id)?.run.waiting_for !== undefined);
    const explained = JSON.stringify(await api.explainTask(id));
    expect(explained).toContain('lacks the ramdisk with the boot agent and an image of debian 12');

    cpSync(away(site.ramdiskDir), site.ramdiskDir, { recursive: true });
    await until('the shorter reason', () => {
      const reason = site.tasks.get(id)?.run.waiting_for ?? '';
      return reason.includes('an image of debian 12') && !reason.includes('ramdisk');
    });
    cpSync(away(site.imagesDir), site.imagesDir, { recursive: true });
    await untilStatus(site, id, 'ready');
    expect((await health(site)).status).toBe(200);
    const story = site.tasks.get(id)?.timeline.map(({ event }) => event);
    expect(story).toEqual(['task_created', 'preparation_blocked', 'preparation_blocked', 'prepared']);

    const kernel = `http://127.0.0.1:${site.stack.daemonPorts['http']}/boot/assets/agent/vmlinuz`;
    expect((await fetch(kernel)).status).toBe(200);
  });
});

describe('a region without etcd', () => {
  let site: Site;
  const machines: Machine[] = [];
  beforeAll(async () => {
    site = await startSite({ sessionSeconds: 3 });
  });
  afterAll(async () => {
    for (const machine of machines) await machine.close();
    await site.stop();
  });

  const outages = {
    'that stands still': {
      begin: () => void process.kill(site.stack.etcd.child.pid, 'SIGSTOP'),
      end: () => void process.kill(site.stack.etcd.child.pid, 'SIGCONT'),
    },
    'that was killed': { begin: () => site.kill('etcd'), end: () => site.restart('etcd') },
  };

  it.each(['that stands still', 'that was killed'] as const)(
    '%s: machines boot from its memory, nothing is acknowledged, and all lands afterwards',
    async (kind) => {
      const outage = outages[kind];
      const machine = newMachine(site, fleetMac(401, machines.length));
      machines.push(machine);
      const id = await orderInstall(site.stack.api, machine.mac);
      await untilStatus(site, id, 'ready');
      await outage.begin();
      const life = liveUntilUp(machine);
      const heard = (words: string): boolean => machine.events.some(({ detail }) => detail.includes(words));
      await until('the lost leadership', async () => (await health(site)).body['leadership'] === 'cut off');

      expect(await health(site)).toMatchObject({ status: 503, body: { status: 'degraded' } });
      expect(await fetchScript(site, machine.mac)).toContain('lpmos.ticket=');
      expect(await fetchScript(site, fleetMac(499, 9))).not.toContain('lpmos.ticket=');
      await until('DHCP, script, kernel and agent', () => heard('reports its hardware'));
      expect(heard('the region has the hardware report')).toBe(false);
      const refused = await createByHand(site, fleetMac(498, machines.length));
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

      await outage.end();
      await approve(site, site.stack.api, id);
      expect((await life).kind).toBe('host-up');
      await until('health', async () => (await health(site)).status === 200);
      expect((await insist(() => site.stack.api.getTask(id))).status).toBe('completed');
      expect(machine.disk.history()).toHaveLength(1);
    },
  );
});
