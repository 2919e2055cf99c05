/** Regions over REST: what a daemon publishes comes through whole, and one region's bad value takes no other with it. */
import { EXAMPLE_OFFERED_BOOT, EXAMPLE_OFFERED_LINK } from '@lpmos/core/testing';
import { actRegionClient, call, memoryKv, startReplica, untilReady } from './testing/app-bench';
import type { MemoryKv } from '@lpmos/store';
import type { Replica } from './testing/app-bench';

const BOOT = {
  ...EXAMPLE_OFFERED_BOOT,
  grub: { kernel: '/agent/vmlinuz', initrds: ['/agent/initramfs.img'] },
};
const LINK = {
  ...EXAMPLE_OFFERED_LINK,
  ...{ domain: 'lab.example', ntp_servers: ['10.77.0.42'], boot: BOOT },
};
const CAPABILITIES = { schema_version: 1, images: [], services: ['dhcp'], daemon_version: '0.1.0' };

let kv: MemoryKv;
let replica: Replica;

beforeAll(async () => {
  kv = memoryKv();
  replica = await startReplica(kv);
  await untilReady(replica);
  for (const region_id of ['dc1', 'dc2']) {
    expect((await call(replica, 'POST', '/api/v1/regions', { body: { region_id } })).status).toBe(201);
  }
  await actRegionClient(kv);
});
afterAll(async () => {
  await replica.stop();
  kv.close();
});

async function publish(region: string, capabilities: object): Promise<void> {
  const key = `/lpmos/regions/${region}/client/capabilities`;
  const put = { op: 'put', key, value: JSON.stringify(capabilities) } as const;
  expect((await kv.txn({ compares: [], then: [put], otherwise: [] })).kind).toBe('done');
}

it('shows links and scripts as the daemon published them', async () => {
  await publish('dc2', { ...CAPABILITIES, links: [LINK], boot: BOOT });
  const { status, body } = await call(replica, 'GET', '/api/v1/regions/dc2');
  expect(status).toBe(200);
  expect(body).toMatchObject({ daemon_version: '0.1.0', links: [LINK], boot: BOOT });
});

it('leaves links and scripts out of the list, and nothing else', async () => {
  await publish('dc2', { ...CAPABILITIES, links: [LINK], boot: BOOT });
  const { links, boot, ...short } = (await call(replica, 'GET', '/api/v1/regions/dc2')).body;
  expect([links, boot]).toEqual([[LINK], BOOT]);
  const list = await call(replica, 'GET', '/api/v1/regions');
  expect(list.body.regions).toContainEqual(short);
});

it.each([
  ['of a newer daemon', { ...CAPABILITIES, schema_version: 2 }],
  ['with a link that is none', { ...CAPABILITIES, links: [{ ...LINK, dns_servers: 'all' }] }],
])('capabilities %s hide that region alone, and say so where it is read', async (_what, capabilities) => {
  await publish('dc2', capabilities);
  const { status, body } = await call(replica, 'GET', '/api/v1/regions');
  expect(status).toBe(200);
  expect(body.regions).toMatchObject([
    { region_id: 'dc1', daemon_version: '0.1.0' },
    { region_id: 'dc2', online: false },
  ]);
  const alone = await call(replica, 'GET', '/api/v1/regions/dc2');
  expect([alone.status, alone.body.code]).toEqual([500, 'corrupt']);
});
