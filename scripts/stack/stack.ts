/**
 * A whole LPMOS of one region as real processes: etcd, control plane, regional daemon. The quickstart runs it beside a real machine, the process tests and
 * benchmarks beside simulated ones. Each part can be killed and started again on the same folder, as after a power cut.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createApiClient } from '@lpmos/api';
import type { ApiClient } from '@lpmos/api';
import { programPath } from '../build';
import { startEtcd } from './etcd';
import type { RunningEtcd } from './etcd';
import { makeSiteKeys } from './keys';
import type { SiteKeys } from './keys';
import { startChild } from './process';
import type { RunningChild } from './process';
import { signToken } from './token';

export interface StackOptions {
  /** Everything that the stack writes. */
  readonly dir: string;
  readonly regionId: string;
  /** Address that machines see. */
  readonly serviceAddress: string;
  readonly ramdiskDir: string;
  readonly imagesDir: string;
  /** The one link of a stack; undefined where another server does DHCP, or the daemon's own file names the links. */
  readonly dhcpLink: unknown;
  /** More settings of the daemon, such as LPMOS_CONFIG_FILE. */
  readonly daemonEnv?: Readonly<Record<string, string>>;
  /** What starts the daemon's program, such as setpriv with its arguments; its process must become the program. */
  readonly daemonPrefix?: readonly string[];
  /** 0 takes free ports, as tests do. */
  readonly ports: {
    readonly api: number;
    readonly tftp: number;
    readonly http: number;
    readonly agentApi: number;
    readonly agentGrpc: number;
  };
  readonly kernelArguments?: string;
  /** Further settings of the daemon by their variable, such as LPMOS_UEFI_CHAIN. */
  readonly daemonSettings?: Readonly<Record<string, string>>;
  readonly sessionSeconds?: number;
  readonly logLevel?: string;
  /** Folder of the built programs; dist of the checkout by default. */
  readonly programsDir?: string;
  /** For tests that kill processes and never the kernel. */
  readonly withoutFsync?: boolean;
  readonly onStep?: (text: string) => void;
  /** Every log line of the daemon, one JSON object each. */
  readonly onDaemonLine?: (line: string) => void;
}

export interface Ports {
  readonly [name: string]: number;
}

/** The DHCP settings as far as the stack touches them. */
interface LinkPorts {
  readonly ports?: { readonly server: number; readonly client: number; readonly relay: number };
}

export interface Stack {
  readonly keys: SiteKeys;
  readonly apiUrl: string;
  readonly api: ApiClient;
  etcd: RunningEtcd;
  controlPlane: RunningChild;
  daemon: RunningChild;
  /** Ports that the daemon bound. */
  daemonPorts: Ports;
  /** Again on the same data and port. */
  startEtcd(): Promise<void>;
  startControlPlane(): Promise<void>;
  /** One more replica over the same etcd, on a port of its own; who starts it stops it. */
  startReplica(): Promise<{ readonly child: RunningChild; readonly port: number }>;
  startDaemon(): Promise<void>;
  /**
   * The region's other daemon, on the ports of the first, with settings of its own by their variables (its LPMOS_SERVICE_ADDRESS at the
   * least); who starts it stops it.
   */
  startPartner(
    settings: Readonly<Record<string, string>>,
    onLine?: (line: string) => void,
  ): Promise<RunningChild>;
  stop(): Promise<void>;
}

const READY_MS = 30_000;

export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, onStep = () => undefined } = options;
  mkdirSync(dir, { recursive: true });
  const keys = await makeSiteKeys({ dir: join(dir, 'keys'), regionId: options.regionId });
  onStep('starting etcd');
  const withoutFsync = options.withoutFsync === true;
  let etcd = await startEtcd({ dir, withoutFsync });
  onStep('starting the control plane');
  let controlPlane = await startControlPlane(options, keys, etcd.endpoint, options.ports.api);
  const apiPort = portsOf(controlPlane)['api'] ?? 0;
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const api = createApiClient({
    baseUrl: apiUrl,
    token: signToken({ keyFile: keys.tokenKeyFile, subject: 'quickstart', roles: ['admin'] }),
  });
  await registerRegion(api, options.regionId);
  onStep(`starting the regional daemon of "${options.regionId}"`);
  let daemon = await startDaemon(options, keys, etcd.endpoint);
  let daemonPorts = portsOf(daemon);
  return {
    keys,
    apiUrl,
    api,
    get etcd() {
      return etcd;
    },
    get controlPlane() {
      return controlPlane;
    },
    get daemon() {
      return daemon;
    },
    get daemonPorts() {
      return daemonPorts;
    },
    async startEtcd() {
      etcd = await startEtcd({ dir, withoutFsync, clientPort: etcd.clientPort });
    },
    async startReplica() {
      const child = await startControlPlane(options, keys, etcd.endpoint, 0);
      return { child, port: portsOf(child)['api'] ?? 0 };
    },
    async startControlPlane() {
      controlPlane = await startControlPlane(options, keys, etcd.endpoint, apiPort);
    },
    async startDaemon() {
      daemon = await startDaemon(onSamePorts(options, daemonPorts), keys, etcd.endpoint);
      daemonPorts = portsOf(daemon);
    },
    async startPartner(settings, onLine) {
      const own = { LPMOS_NODE_NAME: 'node2', LPMOS_STATE_DIR: join(dir, 'partner-state'), ...settings };
      const { onDaemonLine: _ofTheFirst, ...shared } = onSamePorts(options, daemonPorts);
      return startDaemon(
        {
          ...shared,
          daemonEnv: { ...options.daemonEnv, ...own },
          ...(onLine === undefined ? {} : { onDaemonLine: onLine }),
        },
        keys,
        etcd.endpoint,
      );
    },
    async stop() {
      await daemon.stop();
      await controlPlane.stop();
      await etcd.child.stop();
    },
  };
}

/** A restarted daemon must be found where it was. */
function onSamePorts(options: StackOptions, bound: Ports): StackOptions {
  const { ports } = options;
  const link = options.dhcpLink as LinkPorts | undefined;
  const dhcpPorts = {
    server: 67,
    client: 68,
    relay: 67,
    ...link?.ports,
    ...(bound['dhcp'] === undefined ? {} : { server: bound['dhcp'] }),
  };
  return {
    ...options,
    dhcpLink: link && { ...link, ports: dhcpPorts },
    ports: {
      ...ports,
      tftp: bound['tftp'] ?? ports.tftp,
      http: bound['http'] ?? ports.http,
      agentApi: bound['agent_api'] ?? ports.agentApi,
      agentGrpc: bound['agent_grpc'] ?? ports.agentGrpc,
    },
  };
}

async function startControlPlane(
  options: StackOptions,
  keys: SiteKeys,
  endpoint: string,
  port: number,
): Promise<RunningChild> {
  return startProgram(options, 'lpmos-control-plane', {
    LPMOS_LISTEN_ADDRESS: '127.0.0.1',
    LPMOS_API_PORT: String(port),
    LPMOS_ETCD_ENDPOINTS: endpoint,
    LPMOS_JWT_PUBLIC_KEY_FILE: keys.tokenPublicKeyFile,
    LPMOS_GRANT_KEY_FILE: keys.grantKeyFile,
  });
}

async function startDaemon(options: StackOptions, keys: SiteKeys, endpoint: string): Promise<RunningChild> {
  return startProgram(options, 'lpmos-regional-daemon', {
    LPMOS_REGION_ID: options.regionId,
    LPMOS_NODE_NAME: 'node1',
    LPMOS_ETCD_ENDPOINTS: endpoint,
    LPMOS_STATE_DIR: join(options.dir, 'region-state'),
    LPMOS_RAMDISK_DIR: options.ramdiskDir,
    LPMOS_IMAGES_DIR: options.imagesDir,
    LPMOS_SERVICE_ADDRESS: options.serviceAddress,
    ...(options.dhcpLink === undefined ? {} : { LPMOS_DHCP_LINKS: JSON.stringify([options.dhcpLink]) }),
    LPMOS_TFTP_PORT: String(options.ports.tftp),
    LPMOS_HTTP_PORT: String(options.ports.http),
    LPMOS_AGENT_API_PORT: String(options.ports.agentApi),
    LPMOS_AGENT_GRPC_PORT: String(options.ports.agentGrpc),
    LPMOS_AGENT_CA_FILE: keys.caFile,
    LPMOS_AGENT_CERT_FILE: keys.agentCertFile,
    LPMOS_AGENT_KEY_FILE: keys.agentKeyFile,
    LPMOS_AGENT_TLS_NAME: keys.tlsName,
    LPMOS_GRANT_PUBLIC_KEY_FILE: keys.grantPublicKeyFile,
    ...options.daemonSettings,
    ...(options.kernelArguments === undefined ? {} : { LPMOS_KERNEL_ARGUMENTS: options.kernelArguments }),
    ...(options.sessionSeconds === undefined
      ? {}
      : { LPMOS_SESSION_SECONDS: String(options.sessionSeconds) }),
    ...options.daemonEnv,
  });
}

async function startProgram(
  options: StackOptions,
  name: 'lpmos-control-plane' | 'lpmos-regional-daemon',
  env: Readonly<Record<string, string>>,
): Promise<RunningChild> {
  const isDaemon = name === 'lpmos-regional-daemon';
  const prefix = isDaemon ? (options.daemonPrefix ?? []) : [];
  const [command = process.execPath, ...args] = [
    ...prefix,
    process.execPath,
    programPath(name, options.programsDir),
  ];
  return startChild({
    ...{ name, command, args },
    env: { ...env, LPMOS_LOG_LEVEL: options.logLevel ?? 'info' },
    logFile: join(options.dir, `${name}.log`),
    readyWhen: (line) => /"msg":"(?:serving|listening)"/.test(line),
    readyMs: READY_MS,
    ...(isDaemon && options.onDaemonLine !== undefined ? { onLine: options.onDaemonLine } : {}),
  });
}

/** A program says which ports it serves in the line that says it is serving. */
function portsOf(child: RunningChild): Ports {
  const line = JSON.parse(child.readyLine) as { ports?: Record<string, number>; port?: number };
  return line.ports ?? (line.port === undefined ? {} : { api: line.port });
}

async function registerRegion(api: ApiClient, regionId: string): Promise<void> {
  const regions = await api.listRegions();
  if (regions.regions.some((region) => region.region_id === regionId)) return;
  await api.registerRegion({ region_id: regionId, display_name: regionId });
}
