/** `lpmos doctor` on real networks: our own servers, a foreign DHCP server, and planted faults, each of which it must name. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describeWhen } from '../integration/harness/it-when';
import { FOREIGN, openDoctorLab, OPERATOR, REGION } from './harness/cli-doctor-lab';
import type { DoctorLab } from './harness/cli-doctor-lab';
import { missingNamespaces } from './harness/namespace-pair';

jest.setTimeout(120_000);
const whenPossible = describeWhen(missingNamespaces('dnsmasq', 'nft', 'openssl'));
const WARNING = 24;
const BAD = 25;

whenPossible('lpmos doctor', () => {
  let lab: DoctorLab;
  beforeEach(() => {
    lab = openDoctorLab();
  });
  afterEach(() => lab.close());

  it('finds nothing wrong where all is well, within 20 seconds, and says what it looked at', async () => {
    await lab.startRegion({ link: { relays: [OPERATOR] } });
    const found = await lab.doctor('--relay', OPERATOR);
    expect(found.verdicts).toEqual({
      'dhcp answer': 'ok',
      'boot data, bios': 'ok',
      'boot data, uefi-x64': 'ok',
      'boot data, ipxe-bios': 'ok',
      // No router stands on this wire, which is nothing wrong.
      'ipv6 router': 'info',
      'relay path': 'ok',
      'port 4011': 'ok',
      'tftp options': 'ok',
      mtu: 'ok',
      'http script': 'ok',
      'http kernel': 'ok',
      'http range': 'ok',
      clock: 'ok',
      health: 'ok',
      'agent port': 'ok',
    });
    expect(found.exitCode).toBe(0);
    expect(found.text('tftp options')).toContain('blksize=1468, windowsize=4');
    expect(found.stderr).toContain(`asking the region ${REGION}`);
    expect(found.seconds).toBeLessThan(20);
  });

  it('says what it did not look at where another program has the port of DHCP clients, and looks at the rest', async () => {
    await lab.startRegion({});
    const hold = `require('dgram').createSocket('udp4').bind(68, '0.0.0.0', () => console.log('held'))`;
    const holder = spawn('ip', ['netns', 'exec', lab.spaces.operator, process.execPath, '-e', hold]);
    try {
      await once(holder.stdout, 'data');
      const found = await lab.doctor('--region-address', REGION);
      expect(found.exitCode).toBe(WARNING);
      expect(found.verdicts).toMatchObject({
        ...{ 'dhcp answer': 'warning', 'ipv6 router': 'info' },
        ...{ 'http script': 'ok', health: 'ok', 'agent port': 'ok' },
      });
      expect(found.text('dhcp answer')).toContain('not looked at: UDP port 68');
    } finally {
      holder.kill();
    }
  });

  it('says that nobody answers on a network without a server', async () => {
    const found = await lab.doctor();
    expect(found.exitCode).toBe(BAD);
    expect(found.verdicts).toEqual({ 'dhcp answer': 'bad', 'ipv6 router': 'info', region: 'info' });
    expect(found.text('dhcp answer')).toContain('portfast');
  });

  it('names a second server that gives addresses, and what it boots', async () => {
    await lab.startRegion();
    const range = '--dhcp-range=10.77.0.210,10.77.0.220,255.255.255.0,2m';
    lab.startForeign(
      'dnsmasq',
      '--keep-in-foreground',
      '--port=0',
      '--conf-file=/dev/null',
      '--user=root',
      '--interface=eth0',
      range,
      '--dhcp-boot=rogue.0',
      '--dhcp-leasefile=/dev/null',
      '--no-ping',
      '--dhcp-authoritative',
    );
    let found = await lab.doctor();
    for (let tries = 0; tries < 3 && found.verdicts['dhcp servers'] === undefined; tries += 1)
      found = await lab.doctor();
    expect(found.exitCode).toBe(BAD);
    expect(found.verdicts).toMatchObject({ 'dhcp answer': 'ok', 'dhcp servers': 'bad' });
    expect(found.text('dhcp servers')).toContain(`${FOREIGN} (which boots rogue.0)`);
  });

  it('tells a region beside another server from a second server', async () => {
    const { pool: _none, ...proxy } = { pool: undefined, mode: 'proxy' as const };
    await lab.startRegion({ link: { ...proxy, pool: undefined as never } });
    const range = '--dhcp-range=10.77.0.210,10.77.0.220,255.255.255.0,2m';
    lab.startForeign(
      'dnsmasq',
      '--keep-in-foreground',
      '--port=0',
      '--conf-file=/dev/null',
      '--user=root',
      '--interface=eth0',
      range,
      '--dhcp-leasefile=/dev/null',
      '--no-ping',
      '--dhcp-authoritative',
    );
    let found = await lab.doctor();
    for (let tries = 0; tries < 3 && found.verdicts['dhcp servers'] === undefined; tries += 1)
      found = await lab.doctor();
    expect(found.verdicts).toMatchObject({
      'dhcp answer': 'ok',
      'dhcp servers': 'info',
      'port 4011': 'ok',
      'tftp options': 'ok',
    });
    expect(found.exitCode).toBe(0);
  });

  it('a firewall that drops the data ports of TFTP', async () => {
    await lab.startRegion();
    lab.inside(
      lab.spaces.region,
      'nft',
      'add table ip doctor; add chain ip doctor out { type filter hook output priority 0; }; add rule ip doctor out udp sport >= 1024 udp sport != 4011 drop',
    );
    const found = await lab.doctor();
    expect(found.exitCode).toBe(BAD);
    expect(found.verdicts['tftp data ports']).toBe('bad');
    expect(found.text('tftp data ports')).toContain('above 1023');
  });

  it('a path that takes smaller packets than firmware asks for', async () => {
    await lab.startRegion();
    lab.inside(lab.spaces.operator, 'ip', 'link', 'set', lab.port, 'mtu', '1300');
    const found = await lab.doctor();
    expect(found.exitCode).toBe(BAD);
    expect(found.verdicts).toMatchObject({ 'tftp options': 'ok', mtu: 'bad' });
    expect(found.text('mtu')).toContain('packets of 1500 bytes do not arrive, those of 1056 do');
  });

  it('a clock that is far off, and a web server without ranges', async () => {
    await lab.startRegion({ clockOffsetSeconds: 7_200 });
    const found = await lab.doctor();
    expect(found.exitCode).toBe(BAD);
    expect(found.verdicts).toMatchObject({ clock: 'bad', 'http range': 'warning', 'http script': 'ok' });
    expect(found.text('clock')).toMatch(/7(199|200) s ahead of/);
  });

  it('a relay that the link does not list', async () => {
    await lab.startRegion();
    const found = await lab.doctor('--relay', OPERATOR);
    expect(found.verdicts['relay path']).toBe('bad');
    expect(found.text('relay path')).toContain(`add ${OPERATOR} to relays`);
  });

  it('an unhealthy region, and a machine that no task names', async () => {
    await lab.startRegion({ decision: 'silent', problems: ['no loader for x64 firmware'] });
    const found = await lab.doctor('--region-address', REGION);
    expect(found.exitCode).toBe(WARNING);
    expect(found.verdicts).toMatchObject({
      'dhcp answer': 'ok',
      'boot data': 'info',
      'port 4011': 'info',
      tftp: 'info',
      health: 'warning',
    });
    expect(found.text('health')).toContain('no loader for x64 firmware');
  });

  it.each([
    ['--interface', ['--interface', 'nowhere0']],
    ['--relay', ['--relay', 'x']],
    ['--mac', ['--mac', 'x']],
  ])('refuses a wrong %s by name', async (flag, words) => {
    const found = await lab.doctor(...words);
    expect([found.exitCode, found.stdout]).toEqual([2, '']);
    expect(found.stderr).toContain(flag);
  });
});
