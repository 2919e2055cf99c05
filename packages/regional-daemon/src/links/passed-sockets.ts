/**
 * Sockets that a service manager opened for us (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES), and what each is bound to as
 * the kernel's tables say. The environment is read in config.ts; a variable that is meant for another process is none of ours.
 */
import { readlinkSync } from 'node:fs';
import type { SocketRow } from './socket-table';
import { readSocketTable } from './socket-table';
import type { PassedSocket } from './sockets';

/** SD_LISTEN_FDS_START */
const FIRST_FD = 3;
/** A daemon of 256 links with three sockets each and TFTP and HTTP beside them. */
const MAX_FDS = 1024;

export interface ListenVariables {
  readonly LISTEN_PID?: string | undefined;
  readonly LISTEN_FDS?: string | undefined;
  readonly LISTEN_FDNAMES?: string | undefined;
}

export interface PassedDescriptor {
  readonly fd: number;
  readonly name: string;
}

/** Pure. Nothing where the variables are absent, broken or for another process. */
export function passedDescriptors(env: ListenVariables, pid: number): readonly PassedDescriptor[] {
  if (env.LISTEN_PID !== String(pid)) return [];
  const count = Number(env.LISTEN_FDS);
  if (!Number.isInteger(count) || count < 1 || count > MAX_FDS) return [];
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  return Array.from({ length: count }, (_, index) => ({
    fd: FIRST_FD + index,
    name: names[index] ?? 'unknown',
  }));
}

export function readPassedSockets(env: ListenVariables, pid: number): readonly PassedSocket[] {
  const descriptors = passedDescriptors(env, pid);
  if (descriptors.length === 0) return [];
  const table = readSocketTable();
  return descriptors.map((descriptor) => ({ ...descriptor, ...boundTo(descriptor.fd, table) }));
}

function boundTo(
  fd: number,
  table: readonly SocketRow[],
): Pick<PassedSocket, 'transport' | 'address' | 'port'> {
  let inode: string | undefined;
  try {
    inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  } catch {
    // Closed or no Linux: said as a descriptor that fits nothing.
  }
  const row = table.find((entry) => entry.inode === inode);
  return row ?? { transport: 'other', address: '', port: 0 };
}
