import { bootRequest } from './boot-request';
import type { ForeignReply } from './foreign-servers';
import { createForeignServerWatch, describeForeignReply, foreignReply } from './foreign-servers';
import { LAB, MAC } from './fixtures/lab';
import { planLink } from './link';
import { macInTable } from './neighbour-mac';
import { address, u8 } from './options';
import type { DhcpPacket } from './packet';

const PLAN = planLink({ ...LAB, knownServers: ['10.77.0.3'] });
const FROM = { address: '10.77.0.2', port: 67 };

function reply(type: number, server?: string, rest: Partial<DhcpPacket> = {}): DhcpPacket {
  const options = new Map([
    [53, u8(type)],
    ...(server === undefined ? [] : [[54, address(server)] as const]),
  ]);
  return { ...bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 1 }), op: 2, options, ...rest };
}

describe('foreignReply', () => {
  it.each([2, 5, 6])('sees message %i of another server', (type) => {
    expect(foreignReply(reply(type, '10.77.0.2', { file: 'evil.efi' }), FROM, PLAN)).toMatchObject({
      server: '10.77.0.2',
      sender: '10.77.0.2',
      client: MAC,
      bootFile: 'evil.efi',
    });
  });

  it('names the sender when the reply names no server, and tells a relay from its server', () => {
    expect(foreignReply(reply(2), FROM, PLAN)?.server).toBe('10.77.0.2');
    expect(foreignReply(reply(2, '10.99.0.1'), FROM, PLAN)).toMatchObject({
      server: '10.99.0.1',
      sender: '10.77.0.2',
    });
  });

  it('is silent about our own replies, known servers, requests and nonsense', () => {
    expect(foreignReply(reply(2, '10.77.0.1'), { address: '10.77.0.1', port: 67 }, PLAN)).toBeUndefined();
    expect(foreignReply(reply(2, '10.77.0.3'), FROM, PLAN)).toBeUndefined();
    expect(foreignReply(reply(2, '10.77.0.2', { op: 1 }), FROM, PLAN)).toBeUndefined();
    for (const type of [0, 1, 3, 8, 99]) expect(foreignReply(reply(type), FROM, PLAN)).toBeUndefined();
  });

  it('knows what a listed relay passes on for us, and hears it when it speaks for another', () => {
    const relay = { address: '10.77.0.200', port: 67 };
    expect(foreignReply(reply(2, '10.77.0.1'), relay, PLAN)).toBeUndefined();
    expect(foreignReply(reply(2, '10.99.0.1'), relay, PLAN)).toMatchObject({ server: '10.99.0.1' });
    expect(foreignReply(reply(2), relay, PLAN)).toMatchObject({ server: '10.77.0.200' });
  });

  it('catches a server that speaks under our name', () => {
    const stolen = foreignReply(reply(5, '10.77.0.1'), FROM, PLAN);
    expect(stolen && describeForeignReply(stolen, PLAN)).toMatch(/sent by 10\.77\.0\.2.*under our own name/);
  });
});

describe('reports', () => {
  const seen = (n: number): ForeignReply => ({
    type: 'DHCPOFFER',
    server: `10.0.${n >> 8}.${n & 255}`,
    sender: 'x',
  });

  it('come once an hour for each server', () => {
    const watch = createForeignServerWatch();
    expect([0, 1, 3_599_999, 3_600_000].map((now) => watch.isNews(seen(1), now))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(watch.isNews(seen(2), 5)).toBe(true);
  });

  it('are bounded when a liar invents servers, and go on after the hour', () => {
    const watch = createForeignServerWatch();
    const news = Array.from({ length: 5000 }, (_, n) => watch.isNews(seen(n), n)).filter(Boolean);
    expect(news).toHaveLength(64);
    expect(watch.isNews(seen(6000), 3_600_000)).toBe(true);
    expect(watch.isNews(seen(6001), 3_600_000)).toBe(false);
  });

  it('quote what the wire says, cut and printable', () => {
    const bootFile = `\n\u001b[31m"${'x'.repeat(200)}`;
    const line = describeForeignReply({ ...seen(1), sender: '10.0.0.1', bootFile }, PLAN, MAC);
    expect(line).toMatch(
      /link lab: 10\.0\.0\.1, MAC 52:54:00:00:00:01, boot file "\?\?\[31m\\"x{57}"; stop it/,
    );
  });
});

it('macInTable reads the neighbour table of Linux', () => {
  const table = [
    'IP address       HW type     Flags       HW address            Mask     Device',
    '10.77.0.2        0x1         0x2         52:54:00:00:00:01     *        eth0',
    '10.77.0.4        0x1         0x0         00:00:00:00:00:00     *        eth0',
    'nonsense',
  ].join('\n');
  expect(macInTable(table, '10.77.0.2')).toBe(MAC);
  for (const unknown of ['10.77.0.4', '10.77.0.5', 'nonsense', ''])
    expect(macInTable(table, unknown)).toBeUndefined();
  expect(macInTable('', '10.77.0.2')).toBeUndefined();
});
