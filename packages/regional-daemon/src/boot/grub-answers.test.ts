/** What GRUB is given: by decision, to the right machine only, and nothing is named that is not served. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BootDecision, MacAddress } from '@lpmos/core';
import { EXAMPLE_MAC, EXAMPLE_NOW_MS, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { FoundFile } from '@lpmos/netboot';
import { SECRETS, temporaryFolder, testClock } from '../testing/region-fixtures';
import { agentAssets } from './boot-files';
import { createGrubAnswers } from './grub-answers';
import type { GrubAnswersOptions } from './grub-answers';
import { createSharedFiles } from './shared-files';
import { readTicket } from './tokens';

const folder = temporaryFolder();
const AGENT: BootDecision = { kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'r' };
const PEER = '10.77.0.100';
const NAME = `grub/machine/${EXAMPLE_MAC}.cfg`;
const OTHER = '52:54:00:00:00:99' as MacAddress;

const answers = (changes: Partial<GrubAnswersOptions> = {}) =>
  createGrubAnswers({
    ...{ regionId: 'dc1', secrets: SECRETS, clock: testClock(), kernelArguments: 'console=ttyS0 quiet' },
    ...{ baseUrl: () => 'http://10.77.0.1:8080', agentEndpoint: () => '10.77.0.1:8082' },
    decider: { decide: () => AGENT },
    agentFiles: createSharedFiles(
      agentAssets({ ramdiskDir: join(folder(), 'ramdisk'), siteInitramfs: Uint8Array.of(1, 2) }),
    ),
    transfer: 'tftp',
    holderOf: () => undefined,
    activeDownloads: () => 0,
    ...changes,
  });

const textOf = (found: FoundFile | undefined): string =>
  found !== undefined && 'bytes' in found ? Buffer.from(found.bytes).toString('latin1') : '';
const scriptOf = async (changes?: Partial<GrubAnswersOptions>): Promise<string> =>
  textOf(await answers(changes).files(NAME, PEER));

function writeRamdisk(kernel: string): void {
  const directory = join(folder(), 'ramdisk');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'new'), kernel);
  renameSync(join(directory, 'new'), join(directory, 'vmlinuz'));
  writeFileSync(join(directory, 'initramfs.img'), 'initramfs');
}

describe('the menu', () => {
  it('asks for the script of the machine by the name under which it is served, in any case', async () => {
    const menu = textOf(await answers().scripts('GRUB/Grub.cfg', PEER));
    const [, before, behind] = /source '\/([^']+)'"\$\{net_default_mac\}"'([^']+)'/.exec(menu) ?? [];
    const named = `${before ?? ''}${EXAMPLE_MAC}${behind ?? ''}`;
    expect(textOf(await answers().scripts(named, PEER))).toContain('boots: the boot agent');
  });

  it.each([
    'grub/x86_64-efi/command.lst',
    'grub/machine/nobody.cfg',
    'grub',
    'revocations_sku.efi',
    'vmlinuz',
  ])('knows at once that it has no %s', (name) => expect(answers().files(name, PEER)).toBeUndefined());
});

describe('the script of a machine', () => {
  it('names files that are served', async () => {
    writeRamdisk('kernel');
    const script = await scriptOf();
    const names = [...script.matchAll(/'\/(agent\/[^']+)'/g)].map(([, name]) => name ?? '');
    expect(names).toEqual(['agent/vmlinuz', 'agent/initramfs.img', 'agent/site.img']);
    for (const name of names) expect(textOf(await answers().files(name, PEER)).length).toBeGreaterThan(0);
  });

  it('names them by HTTP for a GRUB that can', async () => {
    expect(await scriptOf({ transfer: 'http' })).toContain(
      "linux '(http,10.77.0.1:8080)/boot/assets/agent/vmlinuz'",
    );
  });

  it('has a fresh ticket for its task each time', async () => {
    const ticket = async (): Promise<string> => /lpmos\.ticket=([^']+)'/.exec(await scriptOf())?.[1] ?? '';
    const [first, second] = [await ticket(), await ticket()];
    expect(first).not.toBe(second);
    expect(readTicket(SECRETS, first, EXAMPLE_NOW_MS)).toMatchObject({ taskId: EXAMPLE_TASK_ID });
  });

  it('is refused to another machine, which the event names', async () => {
    const found = await answers({ holderOf: () => OTHER }).files(NAME, PEER);
    expect(found).toEqual({
      refused: `the address is leased to ${OTHER}, which may not ask for the script of ${EXAMPLE_MAC}`,
      about: { mac: OTHER },
    });
    expect(await scriptOf({ holderOf: () => EXAMPLE_MAC })).toContain('lpmos.ticket=');
  });

  it.each<BootDecision>([
    { kind: 'local-disk', reason: 'done' },
    { kind: 'silent', reason: 'not ours' },
    { kind: 'wait', retryAfterSeconds: 1, reason: 'later' },
  ])('has no ticket where no agent boots: $kind', async (decision) => {
    const found = await answers({ decider: { decide: () => decision } }).files(NAME, PEER);
    expect(textOf(found)).not.toMatch(/ticket|linux /);
    expect(found?.about).toEqual({ mac: EXAMPLE_MAC, decision });
  });

  it('that cannot be made is refused with the reason, and is no fault of who asks', async () => {
    const found = await answers({ kernelArguments: 'console=tty0 dyndbg="+p"' }).files(NAME, PEER);
    expect(found).toEqual({
      refused: expect.stringMatching(/^no script could be made: .*U\+0022/) as string,
      about: { mac: EXAMPLE_MAC },
    });
  });

  it('tells the machine to wait while many load', async () => {
    expect(await scriptOf({ activeDownloads: () => 256 })).toMatch(/asks again in \d+ seconds/);
  });

  it('has one length whatever it says, because GRUB believes the length of another rendering', async () => {
    const disk = await scriptOf({ decider: { decide: () => ({ kind: 'local-disk', reason: 'done' }) } });
    expect([(await scriptOf()).length, disk.length]).toEqual([4096, 4096]);
  });
});

describe('files for TFTP', () => {
  it('are one copy for all that load at a time, and new bytes once the file is replaced', async () => {
    writeRamdisk('kernel 1');
    const { files } = answers();
    const read = async () => {
      const found = await files('agent/vmlinuz', PEER);
      return found !== undefined && 'bytes' in found ? found.bytes : undefined;
    };
    const [first, second] = await Promise.all([read(), read()]);
    expect(second).toBe(first);
    expect(await read()).toBe(first);
    writeRamdisk('kernel 22');
    expect(Buffer.from((await read()) ?? []).toString()).toBe('kernel 22');
    expect(Buffer.from(first ?? []).toString()).toBe('kernel 1');
  });

  it('are refused with a reason while there is no ramdisk', async () => {
    expect(await answers().files('agent/vmlinuz', PEER)).toEqual({
      refused: expect.stringContaining('LPMOS_RAMDISK_DIR') as string,
    });
  });
});
