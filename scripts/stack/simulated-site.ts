/** A site on loopback for simulated machines: they play the relay, so no privilege and no fixed port is needed. */
import { freeUdpPort } from './udp-port';

export interface SimulatedSite {
  readonly dhcpLink: unknown;
  readonly relayPort: number;
  readonly clientAddress: string;
}

export async function simulatedSite(): Promise<SimulatedSite> {
  const relayPort = await freeUdpPort();
  return {
    relayPort,
    clientAddress: '127.0.0.1',
    dhcpLink: {
      name: 'loopback',
      subnet: '127.0.0.0/8',
      pool: { first: '127.20.0.1', last: '127.20.3.250' },
      relays: ['127.0.0.1'],
      ports: { server: 0, client: relayPort, relay: relayPort },
    },
  };
}
