/**
 * Spares machines the wait for an IPv6 router on links that have none (`ipv6_router: none`): each of ours that iPXE has just asked for is told so.
 * Which machines and when is decided here, from boot events; netboot's announcer sends. A stranger is told nothing.
 */
import { startAnnouncer } from '@lpmos/netboot';
import type { AnnouncedDevice, Announcer, BootEvent, BootEventListener } from '@lpmos/netboot';
import type { MacAddress } from '@lpmos/core';
import type { Logger } from '@lpmos/runtime';
import type { DaemonLink } from './daemon-links';
import { doesDhcp } from './daemon-links';

export interface RouterNotices {
  /** @throws LpmosError `unavailable` with one field problem for each interface that refuses */
  start(): Promise<void>;
  /** The listener of a link's events, with the notices that follow from them. */
  after(link: DaemonLink, onEvent: BootEventListener): BootEventListener;
  stop(): Promise<void>;
}

/** The interfaces of links that have no router. */
export function routerlessDevices(links: readonly DaemonLink[]): readonly AnnouncedDevice[] {
  return links.flatMap((link) => {
    const device = routerlessDevice(link);
    return device === undefined ? [] : [{ device, path: `${link.path}.ipv6_router` }];
  });
}

function routerlessDevice(link: DaemonLink): string | undefined {
  const { interface: device, ipv6_router: router } = link.settings;
  return router === 'none' && doesDhcp(link) ? device : undefined;
}

/** iPXE configures IPv4 and IPv6 at the same time, so it waits for a router while its first DHCP request is answered. */
export function waitsForRouter({ mac, stage, decision, outcome }: BootEvent): MacAddress | undefined {
  const isOurs = decision !== undefined && decision.kind !== 'silent';
  return stage === 'ipxe' && outcome === 'answered' && isOurs ? mac : undefined;
}

export function createRouterNotices(options: {
  readonly links: readonly DaemonLink[];
  readonly logger: Logger;
}): RouterNotices {
  const devices = routerlessDevices(options.links);
  let announcer: Announcer | undefined;
  return {
    async start() {
      if (devices.length === 0) return;
      announcer = await startAnnouncer({
        devices,
        onProblem: (problem) => options.logger.warn({ problem }, 'no notice that there is no IPv6 router'),
      });
    },
    after(link, onEvent) {
      const device = routerlessDevice(link);
      if (device === undefined) return onEvent;
      return (event) => {
        onEvent(event);
        const mac = waitsForRouter(event);
        if (mac !== undefined) announcer?.tell(device, mac);
      };
    },
    async stop() {
      await announcer?.stop();
      announcer = undefined;
    },
  };
}
