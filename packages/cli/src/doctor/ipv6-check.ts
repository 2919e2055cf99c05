/**
 * Whether an IPv6 router announces itself on the link, as far as this host's kernel has heard: iPXE waits for one in each boot. Pure.
 * The kernel keeps a default route for each router that announced itself (RFC 4861 section 6.3.4), unless the host forwards or was told not to listen.
 */
import { info, ok } from './findings';
import type { Finding } from './findings';

export interface HeardOfIpv6 {
  /** `/proc/net/ipv6_route`; absent without IPv6. */
  readonly routes?: string | undefined;
  /** Whether the kernel takes announcements of routers in on this interface. */
  readonly listens: boolean;
}

/** include/uapi/linux/ipv6_route.h: RTF_DEFAULT and RTF_ADDRCONF, a default route that an announcement brought. */
const ANNOUNCED = 0x0005_0000;
const CHECK = 'ipv6 router';

const WITHOUT =
  'where there is none, iPXE waits 16 s for one in each boot, unless the link says "ipv6_router": "none" in LPMOS_DHCP_LINKS';

export function ipv6RouterFinding(interfaceName: string, { routes, listens }: HeardOfIpv6): Finding {
  if (routes === undefined)
    return info(CHECK, `this host has no IPv6 and cannot tell whether a router announces itself; ${WITHOUT}`);
  if (routes.split('\n').some((line) => isAnnounced(line, interfaceName))) {
    return ok(CHECK, `one announces itself on ${interfaceName}: iPXE need not wait for it`);
  }
  return listens
    ? info(CHECK, `none has announced itself on ${interfaceName}; ${WITHOUT}`)
    : info(
        CHECK,
        `this host does not listen to routers on ${interfaceName} (accept_ra, forwarding) and cannot tell; ${WITHOUT}`,
      );
}

function isAnnounced(line: string, interfaceName: string): boolean {
  const fields = line.trim().split(/\s+/);
  const [, prefixLength] = fields;
  const flags = Number.parseInt(fields[8] ?? '', 16);
  return prefixLength === '00' && (flags & ANNOUNCED) === ANNOUNCED && fields[9] === interfaceName;
}

/**
 * @param acceptRa `accept_ra` of the interface: 0 never, 1 unless it forwards, 2 always
 * @param forwarding `forwarding` of the interface
 */
export function listensToRouters(acceptRa: string | undefined, forwarding: string | undefined): boolean {
  const accepts = Number(acceptRa ?? 0);
  return accepts === 2 || (accepts === 1 && Number(forwarding ?? 0) === 0);
}
