/** Everything that DHCP or a boot script names is served: the names are taken from what is said, and asked for. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BootDecision } from '@lpmos/core';
import { EXAMPLE_MAC, EXAMPLE_NOW_MS, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import { parseIpxeScript } from '@lpmos/netboot';
import type { AssetSource } from '@lpmos/netboot';
import { SECRETS, temporaryFolder, testClock } from '../testing/region-fixtures';
import { advertisedScriptUrl, createAgentScripts } from './agent-scripts';
import { agentAssets, lateDirectory } from './boot-files';
import { siteInitramfs } from './site-initramfs';
import { readTicket, TICKET_SECONDS } from './tokens';

const folder = temporaryFolder();
const BASE = 'http://10.77.0.1:8080';
const OPTIONS = {
  ...{ regionId: 'dc1', secrets: SECRETS, clock: testClock() },
  baseUrl: () => BASE,
  agentEndpoint: () => '10.77.0.1:8082',
  partnerUrl: () => undefined,
  kernelArguments: 'console=ttyS0,115200 quiet',
};
const scripts = createAgentScripts(OPTIONS);
const agent: BootDecision = { kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'r' };
const scriptFor = (decision: BootDecision): string => scripts.bootScript({ mac: EXAMPLE_MAC, decision });
/** Opens and closes; undefined when nothing is published under that name. */
async function sizeOf(source: AssetSource, name: string): Promise<number | undefined> {
  const asset = await source.open(name);
  await asset?.close();
  return asset?.sizeBytes;
}

const TICKET = /lpmos\.ticket=(\S+)/;

describe('what a boot script names', () => {
  it('is served: every file of the agent', async () => {
    mkdirSync(join(folder(), 'ramdisk'));
    for (const name of ['vmlinuz', 'initramfs.img', 'manifest.json', 'secret']) {
      writeFileSync(join(folder(), 'ramdisk', name), name);
    }
    const site = siteInitramfs({
      caPem: 'ca',
      grantPublicKeyPem: 'key',
      regionId: 'dc1',
      tlsServerName: 'r',
    });
    const assets = agentAssets({ ramdiskDir: join(folder(), 'ramdisk'), siteInitramfs: site });
    const names = [...scriptFor(agent).matchAll(/http:\/\/[^\s]+\/boot\/assets\/(\S+)/g)].map(
      ([, name]) => name,
    );
    expect([...new Set(names)].sort()).toEqual(['agent/initramfs.img', 'agent/site.img', 'agent/vmlinuz']);
    for (const name of names) expect(await sizeOf(assets, name ?? '')).toBeGreaterThan(0);
    for (const name of [
      'agent/secret',
      'agent/manifest.json',
      'agent/../secret',
      'vmlinuz',
      'agent',
      'agent/vmlinuz/x',
    ]) {
      expect(await sizeOf(assets, name)).toBeUndefined();
    }
  });

  it('stays at one address for the machine that asks again', () => {
    const wait = scriptFor({ kind: 'wait', retryAfterSeconds: 5, reason: 'no view' });
    expect(wait).toContain(`${BASE}/boot/menu.ipxe?mac=00-1a-2b-3c-4d-5e`);
    expect(new URL(advertisedScriptUrl(BASE).replaceAll('${', '').replaceAll('}', '')).pathname).toBe(
      '/boot/menu.ipxe',
    );
  });
});

it('names both daemons of a region that has two', () => {
  const two = createAgentScripts({
    ...OPTIONS,
    agentEndpoint: () => '10.77.0.1:8082,10.77.0.2:8082',
    partnerUrl: () => 'http://10.77.0.2:8080',
  });
  const script = two.bootScript({ mac: EXAMPLE_MAC, decision: agent });
  expect(script).toContain(' lpmos.agent=10.77.0.1:8082,10.77.0.2:8082 ');
  const asks = [...script.matchAll(/^chain .*?(http:\/\/\S+)/gm)].map(([, url]) => url);
  expect(asks).toEqual(
    [1, 2].map((host) => `http://10.77.0.${host}:8080/boot/menu.ipxe?mac=00-1a-2b-3c-4d-5e`),
  );
});

describe('the kernel line of the agent', () => {
  it('is this, but for the ticket', () => {
    const kernel = scriptFor(agent)
      .split('\n')
      .find((line) => line.startsWith('kernel ') || line.includes('/vmlinuz'));
    expect(kernel?.replace(TICKET, 'lpmos.ticket=T')).toMatchInlineSnapshot(
      `"kernel http://10.77.0.1:8080/boot/assets/agent/vmlinuz initrd=initrd0.img initrd=initrd1.img console=ttyS0,115200 quiet BOOTIF=01-00-1a-2b-3c-4d-5e lpmos.region=dc1 lpmos.agent=10.77.0.1:8082 lpmos.task=5891b5b5-22d5-8df0-86d0-ff0b110fbd9d lpmos.mac=00:1a:2b:3c:4d:5e lpmos.ticket=T || goto fail"`,
    );
  });

  it('holds a fresh ticket each time, for this task, for half an hour, and no other secret', () => {
    const [first, second] = [scriptFor(agent), scriptFor(agent)].map((text) => TICKET.exec(text)?.[1] ?? '');
    expect(first).not.toBe(second);
    expect(readTicket(SECRETS, first ?? '', EXAMPLE_NOW_MS)).toMatchObject({
      taskId: EXAMPLE_TASK_ID,
      expiresAtSeconds: EXAMPLE_NOW_MS / 1000 + TICKET_SECONDS,
    });
    expect(scriptFor(agent)).not.toMatch(/grant|PRIVATE|eyJ/);
  });

  it.each<BootDecision>([
    { kind: 'local-disk', reason: 'done' },
    { kind: 'silent', reason: 'not ours' },
    { kind: 'wait', retryAfterSeconds: 1, reason: 'later' },
  ])('is absent where no agent boots: $kind', (decision) => {
    const script = scriptFor(decision);
    expect(script).not.toMatch(TICKET);
    expect(parseIpxeScript(script).length).toBeGreaterThan(0);
  });
});

describe('a folder that comes later', () => {
  it('is served from then on', async () => {
    const late = lateDirectory(join(folder(), 'images'));
    expect(await sizeOf(late, 'a.gz')).toBeUndefined();
    mkdirSync(join(folder(), 'images'));
    writeFileSync(join(folder(), 'images', 'a.gz'), 'x');
    expect(await sizeOf(late, 'a.gz')).toBe(1);
  });
});
