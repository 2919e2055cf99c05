import { createHash } from 'node:crypto';
import { hardwareDigest, parseMacAddress } from '@lpmos/core';
import { hardwareFromWire, hardwareToWire } from '@lpmos/proto';
import { fleetMac, runFleet } from './fleet';
import { generateHardware } from './hardware-generator';
import { expandSettings } from './ipxe-client';
import { readKernelArguments } from './kernel-arguments';
import { runSimulator } from './program';

const MAC = parseMacAddress('02:00:00:00:00:ff');
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

describe('generated hardware', () => {
  it('is the same for one seed, another for another, and passes the wire unchanged', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const make = () => generateHardware({ seed, mac: MAC, firmware: 'uefi', diskCount: 3 });
      const report = { ...make(), collected_at: '2026-01-01T00:00:00.000Z' };
      expect(make()).toEqual({ ...report, collected_at: '' });
      expect(hardwareFromWire(hardwareToWire(report))).toEqual({ report });
      expect(new Set(report.disks.map((disk) => disk.serial)).size).toBe(3);
    }
    const digests = [1, 2, 3].map((seed) =>
      hardwareDigest(generateHardware({ seed, mac: MAC, firmware: 'bios' }), sha256),
    );
    expect(new Set(digests).size).toBe(3);
  });
});

describe('kernel arguments', () => {
  const LINE =
    'console=ttyS0 quiet lpmos.region=lab lpmos.agent=10.0.0.1:8082 lpmos.task=5891b5b5-22d5-8df0-86d0-ff0b110fbd9d lpmos.ticket=a=b lpmos.mac=02-00-00-00-00-ff';
  it('are read among foreign ones', () => {
    expect(readKernelArguments(LINE)).toEqual({
      regionId: 'lab',
      addresses: ['10.0.0.1:8082'],
      taskId: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d',
      ticket: 'a=b',
      mac: MAC,
    });
  });
  it.each([
    ['10.0.0.1:8082,10.0.0.3:8082', ['10.0.0.1:8082', '10.0.0.3:8082']],
    ['10.0.0.1:8082,', undefined],
    ['10.0.0.1:8082,10.0.0.1:8082', undefined],
    ['a:1,b:1,c:1,d:1,e:1', undefined],
  ])('name the daemons of the region: %s', (agent, addresses) => {
    expect(readKernelArguments(LINE.replace('10.0.0.1:8082', agent))).toMatchObject(
      addresses === undefined
        ? { problems: ['lpmos.agent must be one to four different host:port, separated by commas'] }
        : { addresses },
    );
  });
  it('are refused with every problem at once', () => {
    expect(readKernelArguments('root=/dev/sda1 lpmos.region=LAB')).toEqual({
      problems: [
        'lpmos.region must be a region id',
        'lpmos.agent must be one to four different host:port, separated by commas',
        'lpmos.task must be a task id',
        'lpmos.ticket must be a ticket',
        'lpmos.mac must be a MAC address',
      ],
    });
  });
});

it('expands settings in a URL as iPXE does', () => {
  const settings = new Map([['net0/mac', MAC]]);
  const url = 'http://r/m?mac=${net0/mac}&hex=${net0/mac:hexhyp}&no=${absent}';
  expect(expandSettings(url, settings)).toBe(`http://r/m?mac=${MAC}&hex=02-00-00-00-00-ff&no=`);
});

describe('a fleet that makes no sense is refused', () => {
  const base = {
    machines: 1,
    seed: 1,
    staggerMs: 0,
    concurrency: 1,
    signal: new AbortController().signal,
    network: { dhcpServer: { address: '127.0.0.1', port: 9 }, clientAddress: '127.0.0.1', relayPort: 0 },
  };
  it.each([
    [{ machines: 0 }, 'machines must be'],
    [{ concurrency: 0 }, 'concurrency must be'],
    [{ macs: [MAC, MAC], machines: 2 }, 'twice'],
    [{ macs: [MAC], machines: 2 }, '1 entries for 2 machines'],
    [{ macs: ['x'] }, 'macs[0]'],
  ])('%j', async (over, words) => {
    await expect(runFleet({ ...base, ...over })).rejects.toThrow(words);
  });
  it('MACs of one seed differ', () => {
    expect(new Set(Array.from({ length: 1000 }, (_, index) => fleetMac(5, index))).size).toBe(1000);
  });
});

describe('the program', () => {
  const run = async (args: string[], env: Record<string, string> = {}) => {
    const lines: string[] = [];
    const host = { args, env, print: (t: string) => lines.push(t), printError: (t: string) => lines.push(t) };
    const code = await runSimulator({ ...host, signal: new AbortController().signal });
    return { code, text: lines.join('\n') };
  };
  it('explains itself', async () => {
    expect(await run(['--help'])).toMatchObject({
      code: 0,
      text: expect.stringContaining('LPMOS_MACHINES') as string,
    });
  });
  it('reports every wrong setting at once', async () => {
    const { code, text } = await run([], {
      LPMOS_MACS: '01:00:00:00:00:00',
      LPMOS_ROM: 'x',
      LPMOS_NONE: '1',
    });
    expect(code).toBe(78);
    for (const name of ['LPMOS_MACS', 'LPMOS_ROM', 'LPMOS_NONE']) expect(text).toContain(name);
  });
  it('ends with 1 and the facts when a machine found nothing to boot', async () => {
    const { code, text } = await run([], {
      LPMOS_DHCP_PORT: '9',
      LPMOS_RELAY_PORT: '0',
      LPMOS_TIME_SCALE_PERCENT: '1',
      LPMOS_LOG_LEVEL: 'silent',
    });
    expect(code).toBe(1);
    expect(JSON.parse(text)).toMatchObject({ outcomes: { 'no-bootable-device': 1 }, violations: [] });
  });
});
