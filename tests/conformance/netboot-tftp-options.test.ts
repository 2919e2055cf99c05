/**
 * TFTP requests and their options, told with raw packets to LPMOS and, where it has the rule, to dnsmasq: what the second one fails
 * is a wrong test, or one of the differences that are named here.
 */
import { createFileTable, createTftpServer, type TftpOptionList, type TftpServer } from '@lpmos/netboot';
import { describeWhen } from '../integration/harness/it-when';
import { patternBytes, scratchFolder, systemClock } from './harness/netboot-foreign-clients';
import { rawTftp, rrq, type RawTftp } from './harness/raw-tftp';
import { missingReference, startDnsmasq } from './harness/tftp-peers';

const SIZE = 5000;
const FILES = { 'ipxe.efi': patternBytes(SIZE), empty: Buffer.alloc(0), text: Buffer.from('a\nb\rc') };
const scratch = scratchFolder();
let target: { address: string; port: number; stop(): Promise<void> };
const clients: RawTftp[] = [];

async function open(): Promise<RawTftp> {
  const client = await rawTftp(target.address);
  clients.push(client);
  return client;
}

/** Asks, and gives the first answer; the transfer is then ended as a client that changes its mind does. */
async function ask(...options: TftpOptionList): Promise<unknown> {
  const client = await open();
  client.send(rrq('ipxe.efi', ...options), target.port);
  const { packet, from } = await client.next();
  client.send({ kind: 'ERROR', code: 0, message: 'enough' }, from);
  return packet.kind === 'DATA' ? `DATA ${packet.block} of ${packet.data.length}` : packet;
}
const oack = (...options: TftpOptionList) => ({ kind: 'OACK', options });

afterEach(() => clients.splice(0).forEach((client) => client.close()));
afterAll(() => scratch.remove());

const NAMES = ['blksize', 'tsize', 'timeout', 'windowsize'] as const;
const VALUES = { blksize: '1024', tsize: '0', timeout: '3', windowsize: '4' };
const ANSWERS = { ...VALUES, tsize: String(SIZE) };
const COMBINATIONS = Array.from({ length: 16 }, (_none, bits) =>
  NAMES.filter((_name, index) => (bits >> index) % 2 === 1),
);

/** @param known the options that the server has. */
function rules(known: readonly string[]): void {
  it.each(COMBINATIONS.map((names) => [names.join(' ') || 'nothing', names] as const))(
    'TF7: the OACK holds what was asked and understood and nothing else, asked for %s',
    async (_what, names) => {
      const understood = names.filter((name) => known.includes(name));
      const answer = await ask(...names.map((name) => [name, VALUES[name]] as const));
      const sorted = (options: TftpOptionList) => [...options].sort(([a], [b]) => a.localeCompare(b));
      if (understood.length === 0) expect(answer).toBe('DATA 1 of 512');
      else
        expect(sorted((answer as { options: TftpOptionList }).options)).toEqual(
          sorted(understood.map((name) => [name, ANSWERS[name]] as const)),
        );
    },
  );

  it('TF8: no DATA leaves before the ACK 0 that answers an OACK', async () => {
    const client = await open();
    client.send(rrq('ipxe.efi', ['blksize', '1000']), target.port);
    const { packet, from } = await client.next();
    expect(packet.kind).toBe('OACK');
    // The answer to a second request shows that the server had time for whatever it wanted to send.
    await ask();
    expect(client.inbox.filter((each) => each.packet.kind === 'DATA')).toEqual([]);
    client.send({ kind: 'ACK', block: 0 }, from);
    expect((await client.next()).packet).toMatchObject({ kind: 'DATA', block: 1 });
    client.send({ kind: 'ERROR', code: 0, message: 'enough' }, from);
  });

  it.each(['OCTET', 'Octet', 'octet'])(
    'TF6: mode %s is binary, and options are known in any case',
    async (mode) => {
      const client = await open();
      client.send({ kind: 'RRQ', filename: 'text', mode, options: [['BlkSize', '600']] }, target.port);
      const { packet, from } = await client.next();
      expect(
        packet.kind === 'OACK' && packet.options.map(([name, value]) => [name.toLowerCase(), value]),
      ).toEqual([['blksize', '600']]);
      client.send({ kind: 'ACK', block: 0 }, from);
      expect((await client.takeAll(600)).toString()).toBe('a\nb\rc');
    },
  );

  it.each([
    ['empty', 1000, [1000, 1000, 1000, 1000, 1000, 0]],
    ['short', 999, [999, 999, 999, 999, 999, 5]],
  ])('TF2: the last block is %s at blksize %i', async (_what, blksize, expected) => {
    const client = await open();
    client.send(rrq('ipxe.efi', ['blksize', String(blksize)]), target.port);
    client.send({ kind: 'ACK', block: 0 }, (await client.next()).from);
    const sizes: number[] = [];
    do {
      const { packet, from } = await client.next();
      if (packet.kind !== 'DATA') throw new Error(`unexpected ${packet.kind}`);
      sizes.push(packet.data.length);
      client.send({ kind: 'ACK', block: packet.block }, from);
    } while (sizes.at(-1) === blksize);
    expect(sizes).toEqual(expected);
  });

  it('TF10: asked with 0, tsize is answered with the real size', async () => {
    expect(await ask(['tsize', '0'])).toEqual(oack(['tsize', String(SIZE)]));
  });

  it('TF18: a write is refused with ERROR 2 or 4', async () => {
    const client = await open();
    client.send({ kind: 'WRQ', filename: 'new', mode: 'octet', options: [] }, target.port);
    const { packet } = await client.next();
    expect(packet.kind).toBe('ERROR');
    expect([2, 4]).toContain(packet.kind === 'ERROR' ? packet.code : -1);
  });

  it('TF20: a missing file is ERROR 1 at once', async () => {
    const client = await open();
    client.send(rrq('pxelinux.cfg/default'), target.port);
    expect((await client.next()).packet).toMatchObject({ kind: 'ERROR', code: 1 });
  });

  it('TF17: the same request from the same port starts afresh when the first transfer is over', async () => {
    const client = await open();
    for (let round = 0; round < 3; round += 1) {
      client.send(rrq('ipxe.efi'), target.port);
      expect((await client.takeAll()).equals(FILES['ipxe.efi'])).toBe(true);
    }
  });
}

describeWhen(missingReference())('dnsmasq', () => {
  beforeAll(async () => {
    target = await startDnsmasq(scratch.path('published'), FILES);
  });
  afterAll(() => target.stop());
  // Of the four it knows two, which RFC 2347 allows.
  rules(['blksize', 'tsize']);
});

describe('LPMOS', () => {
  let server: TftpServer;
  beforeAll(async () => {
    const address = '127.0.0.1';
    server = createTftpServer({
      address,
      port: 0,
      files: createFileTable({ ...FILES, 'sub/file': FILES.text }),
      onEvent: () => undefined,
      clock: systemClock,
      limits: { maxSessionsPerPeer: 64, maxWindowsize: 16 },
    });
    const { port } = await server.start();
    target = { address, port, stop: () => server.stop() };
  });
  afterAll(() => target.stop());
  rules(NAMES);

  it.each<[string, TftpOptionList, unknown]>([
    ['larger than the link carries', [['blksize', '65464']], oack(['blksize', '1468'])],
    ['that fits', [['blksize', '1432']], oack(['blksize', '1432'])],
    ['of 8', [['blksize', '8']], oack(['blksize', '8'])],
    ['of 7', [['blksize', '7']], 'DATA 1 of 512'],
    ['of -1', [['blksize', '-1']], 'DATA 1 of 512'],
    ['of 1e3', [['blksize', '1e3']], 'DATA 1 of 512'],
  ])('TF9: a blksize %s', async (_what, options, answer) => {
    expect(await ask(...options)).toEqual(answer);
  });

  it('TF11: an empty file is announced without a size, because curl takes 0 for a failure', async () => {
    const client = await open();
    client.send(rrq('empty', ['tsize', '0']), target.port);
    expect((await client.next()).packet).toMatchObject({ kind: 'DATA', block: 1, data: { length: 0 } });
  });

  it.each([
    ['1', oack(['timeout', '1'])],
    ['255', oack(['timeout', '255'])],
    ['0', 'DATA 1 of 512'],
    ['256', 'DATA 1 of 512'],
    ['abc', 'DATA 1 of 512'],
  ])('TF12: timeout %s', async (value, answer) => {
    expect(await ask(['timeout', value])).toEqual(answer);
  });

  it.each([
    ['1', '1'],
    ['16', '16'],
    ['17', '16'],
    ['65535', '16'],
  ])('TF13: windowsize %s is answered with %s', async (asked, answered) => {
    expect(await ask(['windowsize', asked])).toEqual(oack(['windowsize', answered]));
  });

  it.each(['0', '65536', 'x'])('TF13: windowsize %s is left out', async (asked) => {
    expect(await ask(['windowsize', asked])).toBe('DATA 1 of 512');
  });

  it.each(['netascii', 'NetASCII'])('TF6: mode %s sends CR LF for LF and CR NUL for CR', async (mode) => {
    const client = await open();
    client.send({ kind: 'RRQ', filename: 'text', mode, options: [] }, target.port);
    expect((await client.takeAll()).toString('latin1')).toBe('a\r\nb\r\0c');
  });

  it('TF6: mode mail is refused', async () => {
    const client = await open();
    client.send({ kind: 'RRQ', filename: 'text', mode: 'mail', options: [] }, target.port);
    expect((await client.next()).packet).toMatchObject({ kind: 'ERROR', code: 4 });
  });

  it.each(['/sub/file', '\\sub\\file', './sub//file', '//sub/./file', 'SUB/FILE'])(
    'TF19: the name %s is sub/file',
    async (name) => {
      const client = await open();
      client.send(rrq(name), target.port);
      expect((await client.takeAll()).toString()).toBe('a\nb\rc');
    },
  );

  it.each(['../sub/file', 'sub/../sub/file', '..\\sub\\file', 'sub', ''])(
    'TF19: the name %j is none',
    async (name) => {
      const client = await open();
      client.send(Buffer.from(`\0\u0001${name}\0octet\0`, 'latin1'), target.port);
      expect((await client.next()).packet).toMatchObject({ kind: 'ERROR' });
    },
  );

  const strings = (...parts: string[]) => Buffer.from(`\0\u0001${parts.join('\0')}`, 'latin1');
  it.each<[string, Buffer, unknown]>([
    ['without the final NUL', strings('ipxe.efi', 'octet'), { kind: 'DATA', block: 1 }],
    ['without a mode', strings('ipxe.efi', ''), { kind: 'ERROR', code: 4 }],
    ['with an option without value', strings('ipxe.efi', 'octet', 'blksize'), { kind: 'DATA', block: 1 }],
    [
      'with 30 options',
      strings(
        'ipxe.efi',
        'octet',
        ...Array.from({ length: 30 }, (_none, index) => [`x${index}`, '1']).flat(),
        'blksize',
        '600',
        '',
      ),
      { kind: 'OACK', options: [['blksize', '600']] },
    ],
    ['of 4 bytes', strings('a', ''), { kind: 'ERROR', code: 4 }],
    ['of more than 2 KiB', strings('a'.repeat(2048), 'octet', ''), { kind: 'ERROR', code: 4 }],
  ])('TF21: a request %s', async (_what, bytes, answer) => {
    const client = await open();
    client.send(bytes, target.port);
    const { packet, from } = await client.next();
    expect(packet).toMatchObject(answer as object);
    client.send({ kind: 'ERROR', code: 0, message: '' }, from);
  });
});
