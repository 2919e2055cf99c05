/**
 * Two daemons of one region on one wire, as built programs, with foreign clients: the first is killed, comes back and stands by; then the
 * second loses etcd and goes on answering while the first leads. Clients keep their addresses, and nobody gets one that another has.
 */
import { bootRequest, decodePacket, encodePacket, OPTION, readAddress } from '@lpmos/netboot';
import type { MacAddress } from '@lpmos/core';
import { itWhen } from '../integration/harness/it-when';
import { missingNamespaces } from './harness/namespace-pair';
import { missingClient } from './harness/netboot-foreign-clients';
import { ADDRESSES, PairLab } from './harness/region-pair-lab';
import type { PairClient } from './harness/region-pair-lab';

const missing = missingNamespaces('udhcpc', 'perl') ?? missingClient('etcd', 'etcd-server');
const test = itWhen(missing);
const [FIRST, SECOND] = ADDRESSES;
const isEven = (address: string | undefined): boolean => Number(address?.split('.').at(-1)) % 2 === 0;

describe('two daemons of a region', () => {
  let lab: PairLab;
  const given = new Map<PairClient, string>();
  beforeAll(async () => {
    if (missing === undefined) lab = await PairLab.open();
  }, 120_000);
  afterAll(async () => lab?.close(), 60_000);

  const lease = async (client: PairClient) => {
    const got = await lab.lease(client);
    if (got === undefined) throw new Error(`client ${client} got no address`);
    const others = [...given].filter(([other]) => other !== client).map(([, address]) => address);
    expect(others).not.toContain(got.address);
    given.set(client, got.address);
    return got;
  };

  test('of which one leads give addresses of its share', async () => {
    await lab.until('the second stands by', () => lab.has(1, 'standing by'));
    for (const client of ['a', 'b'] as const) {
      const { address, server } = await lease(client);
      expect([server, isEven(address)]).toEqual([FIRST, true]);
    }
  }, 60_000);

  test('go on with the addresses of their clients when the first is killed', async () => {
    const before = new Map(given);
    // What was given in the moment before a death is another test: two-daemons.test.ts.
    await lab.untilCopied(2);
    process.kill(lab.pids[0] ?? 0, 'SIGKILL');
    const killedAt = performance.now();
    await lab.until('the second serves DHCP', () => lab.has(1, '"leading the region"'));
    await lab.until('the second answers', async () => (await lab.lease('a')) !== undefined);
    process.stdout.write(
      `takeover: first answer ${((performance.now() - killedAt) / 1000).toFixed(1)} s after the kill, TTL 3 s\n`,
    );
    for (const client of ['a', 'b'] as const) {
      expect(await lease(client)).toEqual({ address: before.get(client), server: SECOND });
    }
    const fresh = await lease('c');
    expect([fresh.server, isEven(fresh.address)]).toEqual([SECOND, false]);
  }, 90_000);

  test('both answer while the leader is cut off from etcd, and contradict each other in nothing', async () => {
    lab.command('start-first');
    await lab.until('the first stands by', () => lab.has(0, 'standing by'), 60_000);
    const before = new Map(given);
    await lab.untilCopied(3);
    lab.command('cut');
    await lab.until(
      'the first leads',
      () => lab.logs[0].filter((line) => line.includes('"leading the region"')).length > 1,
    );
    for (const client of ['a', 'b', 'c'] as const) {
      const offers = await offersTo(client);
      await lab.until(`both answer client ${client}`, async () => (await offersTo(client)).length === 2);
      expect(new Set(offers.map(({ address }) => address))).toEqual(new Set([before.get(client)]));
      expect((await lease(client)).address).toBe(before.get(client));
    }
    const stranger = await offersTo('a', '52:54:00:82:00:01' as MacAddress);
    expect(stranger.map(({ server, address }) => [server, isEven(address)]).sort()).toEqual([
      [FIRST, true],
      [SECOND, false],
    ]);
    for (const { address } of stranger) expect([...given.values()]).not.toContain(address);
  }, 120_000);

  async function offersTo(
    client: PairClient,
    mac = lab.mac(client) as MacAddress,
  ): Promise<readonly { readonly server: string; readonly address: string }[]> {
    const discover = bootRequest({ type: 'DHCPDISCOVER', mac, xid: 0x82_00_00_01, broadcast: true });
    const answers = await lab.broadcast(client, encodePacket(discover, { maxBytes: 576 }));
    return answers.flatMap((bytes) => {
      const read = decodePacket(bytes);
      if (read.kind === 'malformed') throw new Error(read.problem);
      const server = readAddress(read.packet.options, OPTION.serverIdentifier) ?? '';
      return read.packet.xid === 0x82_00_00_01 ? [{ server, address: read.packet.yiaddr }] : [];
    });
  }
});
