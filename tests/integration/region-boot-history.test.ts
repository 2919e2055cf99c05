/**
 * The history of boots through the whole system: a machine boots, the region remembers, etcd holds it, the API and the command line show it, and
 * a daemon that was killed goes on with the list. The explanation is compared with what the region really serves.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fleetMac } from '@lpmos/simulator';
import type { Machine } from '@lpmos/simulator';
import { approve, liveUntilUp, newMachine, orderInstall, untilStatus } from '../chaos/harness/life';
import { REGION, startSite, until } from '../chaos/harness/site';
import type { Site } from '../chaos/harness/site';
import { signToken } from '../../scripts/stack/token';
import { runLpmos } from './harness/cli-run';
import { fetchScript } from './harness/region-agent';

jest.setTimeout(180_000);

const MAC = fleetMac(77, 1);
let site: Site;
let machine: Machine;
beforeAll(async () => {
  site = await startSite({ sessionSeconds: 3 });
  machine = newMachine(site, MAC, { rom: 'pxe' });
});
afterAll(async () => {
  await machine.close();
  await site.stop();
});

function lpmos(...words: string[]) {
  const file = join(site.dir, 'token');
  writeFileSync(
    file,
    signToken({ keyFile: site.stack.keys.tokenKeyFile, subject: 'test', roles: ['viewer'] }),
  );
  return runLpmos({ args: [...words, '--token-file', file], url: site.stack.apiUrl });
}

const historyOf = async (mac: string) => (await site.stack.api.getMachineBoots(mac)).regions[0]?.boots ?? [];
const sees = (mac: string, protocol: string, request: string) => async (): Promise<boolean> =>
  (await historyOf(mac).catch(() => [])).some(
    (each) => each.protocol === protocol && each.request.includes(request),
  );

it('remembers every request of a life, those too that name no machine, and shows them', async () => {
  const id = await orderInstall(site.stack.api, MAC);
  await untilStatus(site, id, 'ready');
  const life = liveUntilUp(machine);
  await approve(site, site.stack.api, id);
  expect(await life).toMatchObject({ kind: 'host-up' });
  await untilStatus(site, id, 'completed');
  await until('the last boot', sees(MAC, 'http', '/images/'));

  const boots = await historyOf(MAC);
  const seen = new Set(boots.map(({ protocol, request }) => `${protocol} ${request}`));
  for (const each of [
    'dhcp DHCPDISCOVER',
    'dhcp DHCPREQUEST',
    'tftp RRQ undionly.kpxe',
    'http GET /boot/menu.ipxe',
    'http GET /boot/assets/agent/vmlinuz',
  ]) {
    expect(seen).toContain(each);
  }
  const { stdout, exitCode } = await lpmos('machine', 'boots', MAC);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('would boot now: local-disk');
  expect(stdout.match(/^boot, /gm)?.length).toBeGreaterThanOrEqual(2);
  expect(JSON.stringify(boots)).not.toContain('ticket');
});

it('goes on with the list after a daemon was killed', async () => {
  const before = (await historyOf(MAC)).length;
  await site.kill('regional daemon');
  await site.restart('regional daemon');
  await fetchScript(site, MAC);
  await until('the new entry', async () => (await historyOf(MAC)).length > before);
  expect((await historyOf(MAC))[0]?.request).toBe('DHCPDISCOVER');
});

it('explains what the region would really serve, but for the ticket and the dice', async () => {
  const mac = fleetMac(77, 2);
  const id = await orderInstall(site.stack.api, mac);
  await untilStatus(site, id, 'ready');
  const { stdout, exitCode } = await lpmos(
    'explain',
    '--mac',
    mac,
    '--region',
    REGION,
    '--as-if',
    'ipxe-bios',
    '-o',
    'json',
  );
  expect(exitCode).toBe(0);
  const { explanations } = JSON.parse(stdout) as { explanations: { links: { script: string }[] }[] };
  const steady = (script: string): string =>
    script
      .replace(/lpmos\.ticket=\S+/, 'lpmos.ticket=…')
      .replace(/\bsleep \d+|in \d+ seconds/g, '…')
      .replace(/[?&]platform=\w+/g, '');
  const served = await fetchScript(site, mac);
  expect(served).toContain('lpmos.ticket=');
  expect(steady(explanations[0]?.links[0]?.script ?? '')).toBe(steady(served));
});
