/** The lab: its link, its DHCP settings and its one machine, as data. Addresses are the lab's own; they exist inside its namespace only. */

const BRIDGE = 'lpmos0';

export const LAB_LINK = {
  bridge: BRIDGE,
  bridgeAddress: '10.77.0.1/24',
  serviceAddress: '10.77.0.1',
  dhcp: {
    name: 'lab',
    interface: BRIDGE,
    subnet: '10.77.0.0/24',
    pool: { first: '10.77.0.100', last: '10.77.0.199' },
    lease_seconds: 3600,
    ipv6_router: 'none',
  },
} as const;

export const LAB_MACHINE = {
  name: 'first',
  tap: 'tap0',
  mac: '52:54:00:4c:50:01',
  uuid: '5fca52d2-38a1-4b4f-9d6b-4c504d4f5301',
  serial: 'LAB-0001',
  disk: { sizeGiB: 8, serial: 'LABDISK0001', bus: 'virtio' },
} as const;
