/**
 * What the host has, for check-links.ts: interfaces and addresses, and which of the sockets that the daemon will need can be had. A socket
 * is tried by opening and closing it: rights, devices and other programs are then the kernel's own word and not our guess.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { FieldProblem } from '@lpmos/core';
import { LpmosError } from '@lpmos/core';
import { openDeviceSockets, startAnnouncer } from '@lpmos/netboot';
import type { HostFacts } from './check-links';
import type { DaemonLink } from './daemon-links';
import { agentAddresses, httpAddresses, tftpAddresses } from './daemon-links';
import { hostInterfaces } from './host-interfaces';
import { deviceRequest } from './open-sockets';
import { trySocket } from './probe-socket';
import { routerlessDevices } from './router-notices';
import { holderOf } from './socket-table';
import type { PassedSocket } from './sockets';
import { passedFor, passedServer, socketsOf } from './sockets';

export interface WantedPorts {
  readonly tftp: number;
  readonly http: number;
  readonly agentApi: number;
  readonly agentGrpc: number;
}

export interface HostQuestion {
  readonly links: readonly DaemonLink[];
  readonly serviceAddress: string;
  readonly ports: WantedPorts;
  readonly passed: readonly PassedSocket[];
}

export async function readHostFacts(question: HostQuestion): Promise<HostFacts> {
  // /proc shows the network namespace that we are in.
  const interfaces = hostInterfaces({
    dev: readText('/proc/net/dev'),
    fibTrie: readText('/proc/net/fib_trie'),
    route: readText('/proc/net/route'),
    running: networkInterfaces(),
  });
  const own = new Set([...interfaces.values()].flat());
  // What is not ours to bind is said as such and not as a refused socket.
  const wanted = wantedServers(question).filter(({ address }) => own.has(address) || address === '0.0.0.0');
  const refusals = await Promise.all(wanted.map(tryServer));
  return {
    interfaces,
    passed: question.passed,
    refusals: [
      ...refusals.flat(),
      ...(await tryDevices(question, interfaces)),
      ...(await tryAnnouncer(question, interfaces)),
    ],
  };
}

interface WantedServer {
  /** The setting that names the port. */
  readonly path: string;
  readonly service: string;
  readonly transport: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
}

function wantedServers({ links, serviceAddress, ports, passed }: HostQuestion): readonly WantedServer[] {
  const at = (addresses: readonly string[], rest: Omit<WantedServer, 'address'>): readonly WantedServer[] =>
    addresses.map((address) => ({ ...rest, address }));
  const agents = agentAddresses(links, serviceAddress);
  return [
    ...at(tftpAddresses(links, serviceAddress), {
      ...{ path: 'tftp_port', service: 'TFTP', transport: 'udp', port: ports.tftp },
    }),
    ...at(httpAddresses(links, serviceAddress), {
      ...{ path: 'http_port', service: 'HTTP boot', transport: 'tcp', port: ports.http },
    }),
    ...at(agents, {
      ...{ path: 'agent_api_port', service: 'the agent API', transport: 'tcp', port: ports.agentApi },
    }),
    ...at(agents, {
      ...{ path: 'agent_grpc_port', service: 'agents', transport: 'tcp', port: ports.agentGrpc },
    }),
    ...socketsOf(links)
      .filter(({ device, purpose }) => device === undefined && purpose !== 'client-port')
      .map(({ path, purpose, unicastOnly, address, port }) => ({
        path: `${path}.ports.${purpose === 'dhcp' ? 'server' : 'proxy'}`,
        ...{ service: 'DHCP', transport: 'udp' as const, port, address: unicastOnly ? address : '0.0.0.0' },
      })),
  ].filter((one) => one.port !== 0 && passedServer(one, passed) === undefined);
}

async function tryServer(wanted: WantedServer): Promise<readonly FieldProblem[]> {
  const code = await trySocket(wanted);
  return code === undefined ? [] : [{ path: wanted.path, problem: refusalText(wanted, code) }];
}

function refusalText(wanted: WantedServer, code: string): string {
  const { service, transport, address, port } = wanted;
  const what = `${service} cannot have ${transport.toUpperCase()} ${address} port ${port} (${code})`;
  if (code === 'EADDRINUSE') return `${what}: ${holderText(wanted)}`;
  return code === 'EACCES' ? `${what}: ${lowPortRemedies(port)}` : what;
}

function holderText(wanted: Pick<WantedServer, 'transport' | 'address' | 'port'>): string {
  const holder = holderOf(wanted);
  if (holder !== undefined)
    return `${holder.program} (pid ${holder.pid}) has it; stop it or choose another port`;
  const flag = wanted.transport === 'udp' ? 'u' : 't';
  return `a program of another user has it; "ss -l${flag}np sport = :${wanted.port}" as root names it; stop it or choose another port`;
}

/** The three ways to a port below 1024, in the order in which we would choose. */
export function lowPortRemedies(port: number): string {
  return [
    'a port below 1024 needs a right that this process has not; let systemd pass the socket in (deploy/dhcp-socket.sh and deploy/systemd/lpmos-boot@.socket)',
    `or give the service AmbientCapabilities=CAP_NET_BIND_SERVICE`,
    `or "setcap cap_net_bind_service=+ep ${process.execPath}" (one link without interface only)`,
    `or "sysctl -w net.ipv4.ip_unprivileged_port_start=${port}"`,
  ].join(', ');
}

/** One helper tries all sockets that are bound to interfaces; interfaces that are not there are said already. */
async function tryDevices(
  { links, passed }: HostQuestion,
  interfaces: ReadonlyMap<string, readonly string[]>,
): Promise<readonly FieldProblem[]> {
  const sockets = socketsOf(links).filter(
    (socket) =>
      socket.device !== undefined &&
      socket.port !== 0 &&
      interfaces.get(socket.device)?.includes(socket.address) === true &&
      passedFor(socket, passed) === undefined,
  );
  const problems = await problemsOf(async () => {
    const opened = await openDeviceSockets(
      sockets.flatMap((socket) => deviceRequest(socket, socket.device ?? '')),
    );
    for (const socket of opened) socket.close();
  });
  return problems.map(withHolder);
}

async function tryAnnouncer(
  { links }: HostQuestion,
  interfaces: ReadonlyMap<string, readonly string[]>,
): Promise<readonly FieldProblem[]> {
  const devices = routerlessDevices(links).filter(({ device }) => interfaces.has(device));
  if (devices.length === 0) return [];
  return problemsOf(async () => {
    const announcer = await startAnnouncer({ devices, onProblem: () => undefined });
    await announcer.stop();
  });
}

/** What an attempt says is wrong with the fields that it was made for; other faults pass. */
async function problemsOf(attempt: () => Promise<void>): Promise<readonly FieldProblem[]> {
  try {
    await attempt();
    return [];
  } catch (thrown) {
    if (!(thrown instanceof LpmosError) || thrown.fields === undefined) throw thrown;
    return thrown.fields;
  }
}

const TAKEN = /UDP port (\d+) of \S+ is taken/;

function withHolder({ path, problem }: FieldProblem): FieldProblem {
  const port = TAKEN.exec(problem)?.[1];
  const holder =
    port === undefined ? undefined : holderOf({ transport: 'udp', address: '0.0.0.0', port: Number(port) });
  return holder === undefined
    ? { path, problem }
    : { path, problem: `${problem} (most likely ${holder.program}, pid ${holder.pid})` };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
