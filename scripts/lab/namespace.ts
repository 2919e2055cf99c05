/**
 * A network namespace of its own for the lab: bridge, taps, DHCP and machines live in it and die with its last process,
 * so nothing is left on the host and no host network is touched. As root with unshare, as an ordinary user with a user
 * namespace. A forward of one TCP port through a unix socket makes the API inside reachable from outside.
 * Invariant: nothing here changes the host; the only thing outside is a listener on 127.0.0.1.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * The command that runs `argv` inside new network and mount namespaces. A PID namespace with --kill-child makes the
 * kernel end everything inside together with the outer process, also after kill -9.
 * unshare itself ignores SIGINT and SIGTERM: for an orderly end signal the process group (spawn with `detached`, then
 * kill the negative pid), or let Ctrl-C of the terminal do it; SIGKILL on the outer process ends everything at once.
 */
export function namespaceCommand(
  argv: readonly string[],
  userId: number = process.getuid?.() ?? 0,
): { command: string; args: string[] } {
  const spaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const user = userId === 0 ? [] : ['--user', '--map-root-user'];
  return {
    command: 'unshare',
    args: [...user, ...spaces, '--', ...argv],
  };
}

function readSetting(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

function tunProblem(): string | undefined {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return existsSync('/dev/net/tun')
      ? '/dev/net/tun may not be opened by this user: run as root, or once as root: chmod 0666 /dev/net/tun'
      : '/dev/net/tun is missing: load the kernel module tun (modprobe tun, as root), or run outside of a container';
  }
}

function userNamespaceProblem(): string | undefined {
  if (readSetting('/proc/sys/kernel/unprivileged_userns_clone') === '0') {
    return 'user namespaces are off: run as root, or once as root: sysctl -w kernel.unprivileged_userns_clone=1';
  }
  if (readSetting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return (
      'AppArmor restricts user namespaces: run as root, or once as root: ' +
      'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
    );
  }
  return undefined;
}

/** Text of what is missing for a lab on this host, with the fix; undefined when a namespace really can be made. */
export function checkNamespace(): string | undefined {
  const isRoot = process.getuid?.() === 0;
  const problem = tunProblem() ?? (isRoot ? undefined : userNamespaceProblem());
  if (problem !== undefined) return problem;
  const { command, args } = namespaceCommand(['ip', 'link', 'add', 'probe0', 'type', 'bridge']);
  try {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 10_000 });
    return undefined;
  } catch (error) {
    const stderr = (error as { stderr?: Buffer }).stderr?.toString().trim() ?? '';
    const detail = stderr === '' ? (error as Error).message : stderr;
    return `no network namespace with a bridge can be made here (${detail}): run as root outside of a container`;
  }
}

/** The lab needs few connections at once; a bound keeps a runaway client from using up descriptors. */
const MAX_CONNECTIONS = 256;

function join(left: Socket, right: Socket): void {
  for (const [from, to] of [
    [left, right],
    [right, left],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.end());
  }
}

async function listen(
  server: Server,
  target: { port: number; host: string } | { path: string },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(target, resolve);
  });
}

export interface Forward {
  /** TCP port outside; 0 for the inner side, which has a unix socket only. */
  readonly port: number;
  close(): Promise<void>;
}

function forwardOf(server: Server, sockets: Set<Socket>): Forward {
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      sockets.forEach((socket) => socket.destroy());
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function forwardingServer(dial: () => Socket): { server: Server; sockets: Set<Socket> } {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    const outgoing = dial();
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    join(incoming, outgoing);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return { server, sockets };
}

/** Outside: a TCP listener on 127.0.0.1 (port 0 picks one) whose connections go to the unix socket. */
export async function forwardToNamespace(options: { socketPath: string; port: number }): Promise<Forward> {
  const { server, sockets } = forwardingServer(() =>
    connect({ path: options.socketPath, allowHalfOpen: true }),
  );
  await listen(server, { port: options.port, host: '127.0.0.1' });
  return forwardOf(server, sockets);
}

/** Inside: the unix socket (a file, so visible on both sides) whose connections go to a TCP port in here. */
export async function forwardFromNamespace(options: {
  socketPath: string;
  host: string;
  port: number;
}): Promise<Forward> {
  rmSync(options.socketPath, { force: true }); // left by a run that was killed
  const { server, sockets } = forwardingServer(() =>
    connect({ host: options.host, port: options.port, allowHalfOpen: true }),
  );
  await listen(server, { path: options.socketPath });
  return forwardOf(server, sockets);
}
