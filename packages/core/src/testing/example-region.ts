/** What a region publishes of one ordinary link, for the tests of those who read it. */
import type { OfferedBoot, OfferedLink } from '../region';

export const EXAMPLE_OFFERED_BOOT: OfferedBoot = {
  base_url: 'http://10.77.0.1',
  agent_endpoint: '10.77.0.1:8082',
  kernel_arguments: 'panic=30',
  kernel_url: 'http://10.77.0.1/boot/assets/agent/vmlinuz',
  initrd_urls: ['http://10.77.0.1/boot/assets/agent/initramfs.img'],
  retry_seconds: 15,
  retry_attempts: 20,
};

export const EXAMPLE_OFFERED_LINK: OfferedLink = {
  name: 'boot',
  mode: 'server',
  subnet: '10.77.0.0/24',
  service_address: '10.77.0.1',
  unknown_clients: 'lease',
  relayed_only: false,
  pool: { first: '10.77.0.100', last: '10.77.0.199' },
  router: '10.77.0.254',
  dns_servers: ['10.77.0.53'],
  lease_seconds: 3600,
  loaders: { bios: 'undionly.kpxe', x64: 'snponly.efi' },
  http_loaders: { x64: 'http://10.77.0.1/boot/loaders/snponly.efi' },
  script_url: 'http://10.77.0.1/boot/menu.ipxe?mac=${net0/mac}',
  boot: EXAMPLE_OFFERED_BOOT,
};
