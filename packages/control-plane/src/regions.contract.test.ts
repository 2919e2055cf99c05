/** Regions over REST: what a daemon publishes comes through whole, and one region's bad value takes no other with it. */
import { actRegionClient, call, memoryKv, startReplica, untilReady } from './testing/app-bench';
import type { MemoryKv } from '@lpmos/store';
import type { Replica } from './testing/app-bench';

const BOOT = {
  base_url: 'http://10.77.0.1',
  agent_endpoint: '10.77.0.1:8082',
  kernel_arguments: 'panic=30',
  kernel_url: 'http://10.77.0.1/boot/assets/agent/vmlinuz',
  initrd_urls: ['http://10.77.0.1/boot/assets/agent/initramfs.img'],
  grub: { kernel: '/agent/vmlinuz', initrds: ['/agent/initramfs.img'] },
  retry_seconds: 15,
  retry_attempts: 20,
};
const LINK = {
  name: 'boot',
  mode: 'server',
  subnet: '10.77.0.0/24',
  service_address: '10.77.0.1',
  unknown_clients: 'lease',
  relayed_only: false,
  pool: { first: '10.77.0.100', last: '10.77.0.199' },
  router: '10.77.0.254',
  dns_servers: ['10.77.0.53'],
  domain: 'lab.example',
  ntp_servers: ['10.77.0.42'],
  lease_seconds: 3600,
  loaders: { bios: 'undionly.kpxe' },
  http_loaders: { x64: 'http://10.77.0.1/boot/loaders/snponly.efi' },
  script_url: 'http://10.77.0.1/boot/menu.ipxe',
  boot: BOOT,
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
