import { parseMacAddress } from '@lpmos/core';
import { bootServerFinding, dhcpFindings, readAnswer, regionAddressIn } from './dhcp-check';
import type { DhcpAnswer } from './dhcp-check';
import { exitCodeOfFindings } from './findings';
import type { Finding } from './findings';
import {
  clockFinding,
  healthFindings,
  kernelFindings,
  kernelUrlIn,
  scriptFinding,
  tlsFinding,
} from './http-check';
import type { HttpResult } from './http-check';
import { tftpFindings, tftpUntried } from './tftp-check';
import type { TftpTry } from './tftp-check';

const NOW = Date.UTC(2026, 0, 29, 10);
const DAY = 86_400_000;
const mac = parseMacAddress('52:54:00:12:34:56');
const verdicts = (findings: readonly Finding[]) =>
  findings.map(({ check, verdict }) => `${check}: ${verdict}`);

describe('DHCP answers', () => {
  const REGION = '10.77.0.1';
  const ours = (client: NonNullable<DhcpAnswer['client']>, change: Partial<DhcpAnswer> = {}): DhcpAnswer => ({
    ...{ client, server: REGION, sender: REGION, type: 'DHCPOFFER', offered: '10.77.0.100' },
    bootFile: client === 'ipxe-bios' ? 'http://10.77.0.1/boot/menu.ipxe?mac=x' : 'undionly.kpxe',
    ...change,
  });
  const ALL = [ours('bios'), ours('uefi-x64'), ours('ipxe-bios')];
  const look = (answers: readonly DhcpAnswer[], regionAddress: string | undefined = REGION) =>
    dhcpFindings({
      answers,
      interfaceName: 'eth0',
      mac,
      ...(regionAddress === undefined ? {} : { regionAddress }),
    });

  it('show the region by the script that iPXE is told', () => {
    expect(regionAddressIn(ALL)).toBe(REGION);
    expect(regionAddressIn([ours('ipxe-bios', { bootFile: 'http://10.9.9.9/other.ipxe' })])).toBeUndefined();
  });

  it.each<[string, readonly DhcpAnswer[], readonly string[]]>([
    ['nobody', [], ['dhcp answer: bad']],
    ['another server alone', [ours('bios', { server: '10.77.0.9' })], ['dhcp answer: bad']],
    [
      'a loader missing',
      ALL.map((each) => (each.client === 'uefi-x64' ? { ...ours('uefi-x64'), bootFile: '' } : each)).map(
        ({ bootFile, ...rest }) => (bootFile === '' ? rest : { ...rest, bootFile: bootFile ?? '' }),
      ),
      ['dhcp answer: ok', 'boot data, bios: ok', 'boot data, uefi-x64: bad', 'boot data, ipxe-bios: ok'],
    ],
    [
      'iPXE told to load a loader again',
      [...ALL.slice(0, 2), ours('ipxe-bios', { bootFile: 'undionly.kpxe' })],
      ['dhcp answer: ok', 'boot data, bios: ok', 'boot data, uefi-x64: ok', 'boot data, ipxe-bios: bad'],
    ],
    [
      'answers by a relay',
      ALL.map((each) => ({ ...each, relay: '10.88.0.1' })),
      [
        'dhcp answer: ok',
        'boot data, bios: ok',
        'boot data, uefi-x64: ok',
        'boot data, ipxe-bios: ok',
        'relay: ok',
      ],
    ],
  ])('%s', (_what, answers, expected) => expect(verdicts(look(answers))).toEqual(expected));

  it('of others are not read', () => {
    expect(readAnswer(new Uint8Array(300), '10.0.0.1', { mac, xids: new Map() })).toBeUndefined();
  });

  it.each([
    ['closed', true, 'bad'],
    ['closed', false, 'info'],
    ['silence', true, 'bad'],
    ['silence', false, 'warning'],
  ] as const)('port 4011 with %s, proxy %s', (kind, isProxy, verdict) => {
    expect(bootServerFinding({ kind }, isProxy, true).verdict).toBe(verdict);
  });
});

describe('TFTP', () => {
  const tried = (end: TftpTry['end'], change: Partial<TftpTry> = {}): TftpTry => ({
    file: 'undionly.kpxe',
    blksize: 1468,
    end,
    ...change,
  });
  const granted = { blksize: '1468', tsize: '70000', windowsize: '4' };

  it.each<[string, TftpTry, TftpTry, readonly TftpTry[], readonly string[]]>([
    ['all well', tried('options', { granted }), tried('refused'), [], ['tftp options: ok', 'mtu: ok']],
    [
      'an option missing',
      tried('options', { granted: { blksize: '1468' } }),
      tried('refused'),
      [],
      ['tftp options: warning', 'mtu: ok'],
    ],
    ['no options', tried('plain-data'), tried('refused'), [], ['tftp options: warning']],
    [
      'small packets only',
      tried('no-data', { granted }),
      tried('refused'),
      [tried('no-data'), tried('options', { blksize: 512 })],
      ['tftp options: ok', 'mtu: bad'],
    ],
    [
      'options and nothing else',
      tried('no-data', { granted }),
      tried('refused'),
      [tried('no-data')],
      ['tftp options: ok', 'mtu: bad'],
    ],
    [
      'a loader that is not there',
      tried('refused', { detail: 'file not found' }),
      tried('refused'),
      [],
      ['tftp: bad'],
    ],
    ['nobody', tried('closed'), tried('closed'), [], ['tftp: bad']],
    ['data ports', tried('silence'), tried('refused'), [], ['tftp data ports: bad']],
    ['port 69', tried('silence'), tried('silence'), [], ['tftp: bad']],
  ])('%s', (_what, full, unknownName, smaller, expected) => {
    expect(verdicts(tftpFindings({ full, unknownName, smaller }))).toEqual(expected);
  });

  it('without a loader only the port is known', () => {
    expect(tftpUntried(tried('refused')).verdict).toBe('info');
    expect(tftpUntried(tried('silence')).verdict).toBe('bad');
  });
});

describe('HTTP and clocks', () => {
  const seen = (change: Partial<Extract<HttpResult, { status: number }>> = {}): HttpResult => ({
    ...{
      url: 'http://10.77.0.1/x',
      status: 200,
      headers: {},
      body: '#!ipxe\nkernel http://10.77.0.1/k panic=30\n',
    },
    ...change,
  });
  const gone: HttpResult = { url: 'http://10.77.0.1/x', failure: 'nobody listens there' };

  it('a script is a script', () => {
    expect(scriptFinding(seen()).verdict).toBe('ok');
    expect(scriptFinding(seen({ body: '<html>' })).verdict).toBe('bad');
    expect(scriptFinding(gone).finding).toContain('nobody listens there');
    expect(kernelUrlIn(seen(), 'http://b')).toBe('http://10.77.0.1/k');
    expect(kernelUrlIn(gone, 'http://b')).toBe('http://b/boot/assets/agent/vmlinuz');
  });

  it.each<[HttpResult, HttpResult, readonly string[]]>([
    [seen(), seen({ status: 206 }), ['http kernel: ok', 'http range: ok']],
    [seen(), seen(), ['http kernel: ok', 'http range: warning']],
    [seen(), gone, ['http kernel: ok', 'http range: warning']],
    [seen({ status: 404 }), gone, ['http kernel: bad']],
    [gone, gone, ['http kernel: bad']],
  ])('kernel %#', (head, range, expected) => expect(verdicts(kernelFindings(head, range))).toEqual(expected));

  it.each([
    [0, 'ok'],
    [-29_000, 'ok'],
    [45_000, 'warning'],
    [-400_000, 'bad'],
  ])('a clock that is %d ms apart', (apart, verdict) => {
    const date = new Date(NOW + apart).toUTCString();
    expect(clockFinding(seen({ headers: { date } }), NOW)?.verdict).toBe(verdict);
  });
  it('no clock is no finding', () => expect(clockFinding(seen(), NOW)).toBeUndefined());

  it.each([
    ['{"status":"healthy"}', 'ok', 'healthy'],
    [
      '{"status":"degraded","problems":["no image"],"services":{"tftp":"stopped"},"etcd_connected":false}',
      'warning',
      'no image; tftp stopped; no connection to etcd',
    ],
    [
      '{"status":"degraded","problems":[],"etcd_connected":true,"tasks_read":false,"leadership":"cut off"}',
      'warning',
      'not read yet, so machines are told to wait; leadership cut off: it neither leads nor stands by',
    ],
    ['<html>', 'bad', 'no health report'],
  ])('health %s', (body, verdict, text) => {
    const [finding, ...others] = healthFindings(seen({ body }));
    expect([finding?.verdict, finding?.finding]).toEqual([verdict, expect.stringContaining(text)]);
    expect(others).toEqual([]);
  });

  it('passes on what the region has to say to people, which makes nothing worse', () => {
    const body = '{"status":"healthy","notices":["link b: name 10.0.0.2 as next server"]}';
    expect(
      healthFindings(seen({ body })).map(({ check, verdict, finding }) => [check, verdict, finding]),
    ).toEqual([
      ['health', 'ok', 'the region is healthy'],
      ['notice', 'info', 'link b: name 10.0.0.2 as next server'],
    ]);
  });

  it.each([
    [-1, 90, 'ok'],
    [-1, 5, 'warning'],
    [-90, -1, 'bad'],
    [1, 90, 'bad'],
  ])('a certificate from day %d to day %d', (from, to, verdict) => {
    const result = { validFromMs: NOW + from * DAY, validToMs: NOW + to * DAY, subject: 'lab' };
    expect(tlsFinding('10.77.0.1:8082', result, NOW).verdict).toBe(verdict);
  });
});

it('the worst finding makes the exit code', () => {
  const of = (...all: Finding['verdict'][]) =>
    exitCodeOfFindings(all.map((verdict) => ({ check: 'x', verdict, finding: 'x' })));
  expect([of('ok', 'info'), of('ok', 'warning'), of('warning', 'bad')]).toEqual([0, 24, 25]);
});
