/** What a region publishes of itself: all that an explanation needs, nothing that is a secret or a person's. */
import type { LinkSettings } from './link-settings';
import { offeredBoot, offeredLinks } from './offered-links';

const facts = { baseUrl: 'http://10.77.0.1:8080', agentEndpoint: '10.77.0.1:8082', kernelArguments: 'quiet' };
const boot = (grubTransfer?: 'tftp' | 'http') => offeredBoot({ ...facts, grubTransfer });
const LINK: LinkSettings = {
  name: 'row-4',
  mode: 'server',
  subnet: '10.21.0.0/16',
  pool: { first: '10.21.100.1', last: '10.21.100.9' },
  router: '10.21.0.1',
  dns_servers: ['10.20.0.53'],
  domain: 'lab.example',
  ntp_servers: ['10.20.0.42'],
  lease_seconds: 7200,
  offer_seconds: 60,
  reservations: [{ mac: '52:54:00:00:00:01', address: '10.21.0.7', hostname: 'web7' }],
  relays: ['10.21.0.1'],
  known_servers: ['10.21.0.9'],
  unknown_clients: 'ignore',
  ports: { server: 67, client: 68, relay: 67 },
};
const published = () =>
  offeredLinks({
    links: [{ settings: LINK, serviceAddress: '10.20.0.2', relayedOnly: true }],
    baseUrl: (address) => `http://${address}`,
    loaders: { offered: () => ({ names: { x64: 'shimx64.efi' }, httpNames: {} }) },
    boot: () => boot('tftp'),
  });

it('publishes what an answer of the link is made of', () => {
  expect(published()).toMatchObject([
    {
      ...{ name: 'row-4', mode: 'server', subnet: '10.21.0.0/16', unknown_clients: 'ignore' },
      ...{ relayed_only: true, service_address: '10.20.0.2', pool: LINK.pool, router: '10.21.0.1' },
      ...{ dns_servers: ['10.20.0.53'], domain: 'lab.example', ntp_servers: ['10.20.0.42'] },
      ...{ lease_seconds: 7200, loaders: { x64: 'shimx64.efi' } },
    },
  ]);
});

it('publishes no reservation, no relay and no server of others', () => {
  expect(JSON.stringify(published())).not.toMatch(/52:54:00|web7|10\.21\.0\.[79]|relays|reservations/);
});

it.each([
  ['tftp', '/agent/vmlinuz'],
  ['http', '(http,10.77.0.1:8080)/boot/assets/agent/vmlinuz'],
] as const)('names the kernel as GRUB loads it by %s', (transfer, kernel) =>
  expect(boot(transfer).grub?.kernel).toBe(kernel),
);

it('names nothing of GRUB where the region has none', () => expect(boot()).not.toHaveProperty('grub'));
