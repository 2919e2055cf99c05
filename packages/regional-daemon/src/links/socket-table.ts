/**
 * The kernel's tables of bound IPv4 sockets (/proc/net/udp, /proc/net/tcp) and whose they are (/proc/PID/fd): for messages that say who holds
 * a port, and for descriptors passed in. Readers of text are pure; where /proc is not readable the answer is "nobody knows", never an error.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface SocketRow {
  readonly transport: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

export interface PortHolder {
  readonly pid: number;
  readonly program: string;
}

const TCP_LISTEN = '0A';

/** Lines of /proc/net/udp or /proc/net/tcp; of TCP the listening ones. Addresses stand in the byte order of the host: little endian. */
export function parseSocketTable(transport: 'udp' | 'tcp', text: string): readonly SocketRow[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      const match = /^([0-9A-F]{8}):([0-9A-F]{4})$/.exec(local);
      if (match === null || inode === undefined || (transport === 'tcp' && state !== TCP_LISTEN)) return [];
      const address = (match[1]?.match(/../g) ?? []).reverse().map((byte) => parseInt(byte, 16));
      return [{ transport, address: address.join('.'), port: parseInt(match[2] ?? '', 16), inode }];
    });
}

export function readSocketTable(): readonly SocketRow[] {
  return (['udp', 'tcp'] as const).flatMap((transport) =>
    parseSocketTable(transport, readText(`/proc/net/${transport}`)),
  );
}

/** Who has a port that we cannot have; undefined when that process is not ours to see. */
export function holderOf(
  wanted: Pick<SocketRow, 'transport' | 'address' | 'port'>,
  table: readonly SocketRow[] = readSocketTable(),
): PortHolder | undefined {
  const clashes = (address: string): boolean =>
    address === wanted.address || address === '0.0.0.0' || wanted.address === '0.0.0.0';
  const inodes = new Set(
    table
      .filter(({ transport, port }) => transport === wanted.transport && port === wanted.port)
      .filter(({ address }) => clashes(address))
      .map(({ inode }) => `socket:[${inode}]`),
  );
  if (inodes.size === 0) return undefined;
  for (const entry of list('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (list(`/proc/${entry}/fd`).some((fd) => inodes.has(link(`/proc/${entry}/fd/${fd}`)))) {
      return { pid, program: readText(`/proc/${entry}/comm`).trim() };
    }
  }
  return undefined;
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
