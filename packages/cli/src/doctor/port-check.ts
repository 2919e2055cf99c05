/**
 * What could not be looked at because a port of this host cannot be had, why, and how to look after all. Pure.
 * A warning and never worse: what nobody looked at is not broken, and its exit code must not say so.
 */
import { warning } from './findings';
import type { Finding } from './findings';

/** Answers to clients come to port 68. @param code what the system said, such as EACCES */
export function clientPortFinding(code: string): Finding {
  return warning(
    'dhcp answer',
    `not looked at: UDP port 68 of this host cannot be opened (${code}). Who answers DHCP here, a second server and what machines are told to boot are not known`,
    portFix(68, code),
  );
}

/** Answers to relays come to port 67. */
export function relayPortFinding(relay: string, code: string): Finding {
  return warning(
    'relay path',
    `not looked at: UDP port 67 of ${relay} cannot be opened (${code}). Whether the region answers that relay is not known`,
    portFix(67, code),
  );
}

function portFix(port: number, code: string): string {
  const fixes: Readonly<Record<string, string>> = {
    EACCES:
      'run it as root, or give Node the right once: setcap cap_net_bind_service=+ep "$(readlink -f "$(command -v node)")"',
    EADDRINUSE: `another program of this host has the port and does not share it; find it with "ss -ulpn sport = :${port}" and stop it for the moment`,
    EADDRNOTAVAIL:
      'that address is none of this host; with --relay name the address of the interface that a relay would have',
  };
  return fixes[code] ?? 'see what the system says about this port';
}
