import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readLinkList } from '../boot/link-settings';
import type { DaemonLink } from './daemon-links';
import { addressFor, agentAddresses, daemonLinks, httpAddresses, tftpAddresses } from './daemon-links';
import { passedDescriptors } from './passed-sockets';
import { holderOf, parseSocketTable, readSocketTable } from './socket-table';
import { passedFor, passedServer, socketsOf } from './sockets';

function linksOf(...raw: readonly object[]): readonly DaemonLink[] {
  const read = readLinkList(raw);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  return daemonLinks(read.value, { serviceAddress: '10.1.0.1' });
}

const A = { name: 'a', interface: 'eth1', subnet: '10.1.0.0/24' };
const FAR = { name: 'far', subnet: '10.3.0.0/24', relays: ['10.3.0.1'] };
const FARTHER = { name: 'farther', subnet: '10.4.0.0/24', relays: ['10.4.0.1'] };
const EXTERNAL = {
  name: 'x',
  interface: 'eth3',
  subnet: '10.5.0.0/24',
  mode: 'external',
  service_address: '10.5.0.1',
};

const brief = (links: readonly DaemonLink[]): readonly string[] =>
  socketsOf(links).map(
    ({ purpose, link, device = '*', address, port, unicastOnly }) =>
      `${link.settings.name} ${purpose} ${device} ${address}:${port}${unicastOnly ? ' unicast' : ''}`,
  );

describe('the sockets of links', () => {
  it('are three on each interface, one pair for all links behind relays, and none for an external one', () => {
    expect(brief(linksOf(A, FAR, FARTHER, EXTERNAL))).toEqual([
      'a dhcp eth1 10.1.0.1:67',
      'a boot-server eth1 10.1.0.1:4011',
      'a client-port eth1 10.1.0.1:68',
      'far dhcp * 10.1.0.1:67 unicast',
      'far boot-server * 10.1.0.1:4011 unicast',
    ]);
  });

  it('of a link that is alone need no interface, and on other ports only what is named', () => {
    expect(brief(linksOf({ subnet: '10.1.0.0/24', ports: { server: 1067 } }))).toEqual([
      'boot dhcp * 10.1.0.1:1067',
    ]);
  });

  it('are those passed in, by the interface in their name and by their port', () => {
    const passed = [
      { fd: 3, name: 'lpmos-eth1', transport: 'udp', address: '0.0.0.0', port: 4011 },
      { fd: 4, name: 'lpmos-eth1', transport: 'udp', address: '0.0.0.0', port: 67 },
      { fd: 5, name: 'lpmos-boot', transport: 'tcp', address: '10.1.0.1', port: 80 },
    ] as const;
    expect(socketsOf(linksOf(A)).map((socket) => passedFor(socket, passed)?.fd)).toEqual([4, 3, undefined]);
    expect(passedFor({ port: 67 }, passed)).toBeUndefined();
    expect(passedServer({ transport: 'tcp', address: '10.1.0.1', port: 80 }, passed)?.fd).toBe(5);
    expect(passedServer({ transport: 'tcp', address: '10.1.0.2', port: 80 }, passed)).toBeUndefined();
  });
});

describe('the addresses that are served', () => {
  it('are those of the links, without TFTP where all is left to others', () => {
    const links = linksOf(A, FAR, EXTERNAL);
    expect(httpAddresses(links, '10.9.0.1')).toEqual(['10.1.0.1', '10.5.0.1']);
    expect(tftpAddresses(links, '10.9.0.1')).toEqual(['10.1.0.1']);
    expect(agentAddresses(links, '10.9.0.1')).toEqual(['10.9.0.1', '10.1.0.1', '10.5.0.1']);
    expect([httpAddresses([], '10.9.0.1'), tftpAddresses([], '10.9.0.1')]).toEqual([
      ['10.9.0.1'],
      ['10.9.0.1'],
    ]);
  });

  it('are told to a machine by where it is', () => {
    const links = linksOf(A, FAR, EXTERNAL);
    const told = ['10.5.0.7', '10.3.0.7', '192.0.2.1', 'nonsense'].map((peer) =>
      addressFor(links, '10.9.0.1', peer),
    );
    // 10.9.0.1 has agents and no HTTP boot: who is on no link is told an address that has both.
    expect(told).toEqual(['10.5.0.1', '10.1.0.1', '10.1.0.1', '10.1.0.1']);
    expect(addressFor(links, '10.5.0.1', '192.0.2.1')).toBe('10.5.0.1');
    expect(addressFor([], '10.9.0.1', '192.0.2.1')).toBe('10.9.0.1');
  });
});

describe('descriptors passed in', () => {
  it('are named and numbered from three', () => {
    const env = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'lpmos-eth1' };
    expect(passedDescriptors(env, 7)).toEqual([
      { fd: 3, name: 'lpmos-eth1' },
      { fd: 4, name: 'unknown' },
    ]);
  });

  it.each([
    {},
    { LISTEN_PID: '8', LISTEN_FDS: '1' },
    { LISTEN_PID: '7', LISTEN_FDS: '-1' },
    { LISTEN_PID: '7', LISTEN_FDS: 'x' },
    { LISTEN_PID: '7', LISTEN_FDS: '99999' },
  ])('are none by %j', (env) => {
    expect(passedDescriptors(env, 7)).toEqual([]);
  });
});

describe('the kernel’s table', () => {
  it('is read in its own byte order; of TCP only who listens', () => {
    const text = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100010A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0',
      '   1: 0100010A:0050 0200010A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0',
      'nonsense',
    ].join('\n');
    expect(parseSocketTable('tcp', text)).toEqual([
      { transport: 'tcp', address: '10.1.0.1', port: 80, inode: '4711' },
    ]);
  });

  it('tells who holds a port', async () => {
    const script = `const s = require('node:dgram').createSocket('udp4'); s.bind(0, '127.0.0.1', () => console.log(s.address().port));`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const wanted = { transport: 'udp', address: '0.0.0.0', port: Number(line.toString()) } as const;
      expect(holderOf(wanted)).toEqual({ pid: child.pid, program: expect.stringMatching(/^node/) as string });
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('tells nothing of a port that nobody holds, nor of our own', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    expect(readSocketTable().some((row) => row.port === port)).toBe(true);
    expect(holderOf({ transport: 'udp', address: '127.0.0.1', port })).toBeUndefined();
    socket.close();
  });
});
