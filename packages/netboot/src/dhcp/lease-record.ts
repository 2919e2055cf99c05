/**
 * One lease as one line of the journal, and back: checksum, space, JSON, newline. Names on disk are snake_case.
 * Reading trusts nothing: a line is a lease, or it says what is wrong with it (a torn write, a flipped bit, a newer version).
 * Every record carries its version, so that an older daemon can leave a newer record alone instead of guessing.
 */
import type { MacAddress } from '@lpmos/core';
import { readMacAddress } from '@lpmos/core';
import { crc32 } from 'node:zlib';
import { readIpv4 } from './ipv4';
import type { Lease, LeaseState } from './lease-table';

const VERSION = 1;
/** A record has about 160 bytes; a longer line is none, and must not be parsed to find that out. */
export const MAX_RECORD_BYTES = 1024;
const STATES: ReadonlySet<unknown> = new Set<LeaseState>(['bound', 'declined', 'released']);
const CHECKSUM = /^[0-9a-f]{8} /;
const MAX_HOST_NAME = 63;

export type ReadRecord =
  | { readonly kind: 'lease'; readonly lease: Lease }
  | { readonly kind: 'unreadable'; readonly problem: string };

/** With its newline. */
export function writeRecord(lease: Lease): string {
  const json = JSON.stringify({
    v: VERSION,
    mac: lease.mac,
    address: lease.address,
    state: lease.state,
    since_ms: lease.sinceMs,
    expires_at_ms: lease.expiresAtMs,
    ...(lease.hostname === undefined ? {} : { hostname: lease.hostname }),
  });
  return `${checksumOf(json)} ${json}\n`;
}

/** @param line without its newline */
export function readRecord(line: string): ReadRecord {
  if (line.length > MAX_RECORD_BYTES) return unreadable(`longer than ${MAX_RECORD_BYTES} bytes`);
  if (!CHECKSUM.test(line)) return unreadable('no checksum');
  const json = line.slice(9);
  if (checksumOf(json) !== line.slice(0, 8)) return unreadable('the checksum does not match');
  const raw = parsed(json);
  if (typeof raw !== 'object' || raw === null) return unreadable('no JSON object');
  return leaseOf(raw as Readonly<Record<string, unknown>>);
}

function leaseOf(raw: Readonly<Record<string, unknown>>): ReadRecord {
  if (raw['v'] !== VERSION)
    return unreadable(`version ${String(raw['v']).slice(0, 20)}, and this daemon writes ${VERSION}`);
  const { mac, address, state, since_ms: sinceMs, expires_at_ms: expiresAtMs, hostname } = raw;
  const owner = typeof mac === 'string' ? readMacAddress(mac) : undefined;
  if (owner === undefined) return unreadable('mac is none');
  if (typeof address !== 'string' || readIpv4(address) === undefined) return unreadable('address is none');
  if (!STATES.has(state)) return unreadable('state is none of bound, declined, released');
  if (!isTime(sinceMs)) return unreadable('since_ms is no time');
  if (!isTime(expiresAtMs)) return unreadable('expires_at_ms is no time');
  if (hostname !== undefined && !isHostName(hostname)) return unreadable('hostname is none');
  const lease: Lease & { mac: MacAddress } = {
    mac: owner,
    address,
    state: state as LeaseState,
    sinceMs,
    expiresAtMs,
    ...(hostname === undefined ? {} : { hostname }),
  };
  return { kind: 'lease', lease };
}

function isTime(value: unknown): value is number {
  return (
    typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER
  );
}

function isHostName(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= MAX_HOST_NAME;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

function checksumOf(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

function unreadable(problem: string): ReadRecord {
  return { kind: 'unreadable', problem };
}
