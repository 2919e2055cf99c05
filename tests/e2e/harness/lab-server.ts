/**
 * The inside of the lab: alone in its network namespace with bridge, etcd, control plane, region "lab" and the machines that
 * the test powers on. It decides nothing and asserts nothing; it does what lab-protocol.ts names and answers.
 * Invariant: it ends when its standard input ends, and everything in here ends with it (the PID namespace sees to that).
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { probeAccelerator } from '../../../scripts/lab/accelerator';
import type { Accelerator } from '../../../scripts/lab/accelerator';
import { startForeignDhcp } from '../../../scripts/lab/foreign-dhcp';
import type { ForeignDhcpOptions } from '../../../scripts/lab/foreign-dhcp';
import { loseFrames } from '../../../scripts/lab/frame-loss';
import { startMachine } from '../../../scripts/lab/machine';
import type { Machine } from '../../../scripts/lab/machine';
import type { OtherNic } from '../../../scripts/lab/machine-arguments';
import { forwardFromNamespace } from '../../../scripts/lab/namespace';
import { createBridge, createPort, createTap, limitRate } from '../../../scripts/lab/network';
import { LAB_LINK } from '../../../scripts/quickstart/lab-site';
import { partnerSettings } from '../../../scripts/stack/partners';
import type { DaemonSettings } from '../../../scripts/stack/partners';
import type { RunningChild } from '../../../scripts/stack/process';
import { startStack } from '../../../scripts/stack/stack';
import type { Stack } from '../../../scripts/stack/stack';
import { signToken } from '../../../scripts/stack/token';
import type {
  LabAnswer,
  LabOperation,
  LabOperations,
  LabReady,
  LabRequest,
  LabSettings,
  LinkOfLab,
  MachineSpec,
  PoweredOn,
} from './lab-protocol';

type Operations = {
  readonly [K in LabOperation]: (argument: LabOperations[K]['takes']) => Promise<LabOperations[K]['gives']>;
};

const HTTP_MS = 30_000;
const PORTS = { api: 8080, tftp: 69, http: 80, agentApi: 8081, agentGrpc: 8082 };

const FOREIGN_ADDRESS = '10.77.0.2';
/** In mode proxy the addresses are the other server's, out of the same pool. */
const { pool: POOL, lease_seconds: LEASE_SECONDS, ...UNLEASED } = LAB_LINK.dhcp;
const DHCP_LINK: Readonly<Record<LinkOfLab, unknown>> = {
  server: { ...UNLEASED, pool: POOL, lease_seconds: LEASE_SECONDS },
  proxy: { ...UNLEASED, mode: 'proxy', known_servers: [FOREIGN_ADDRESS] },
};

const foreignDhcp = ({ dir, foreign = 'dnsmasq' }: LabSettings): ForeignDhcpOptions => ({
  server: foreign,
  bridge: LAB_LINK.bridge,
  address: `${FOREIGN_ADDRESS}/24`,
  pool: POOL,
  logFile: join(dir, 'foreign-dhcp.log'),
});

/** The region's other daemon, on a port of its own on the same bridge. */
const PARTNER = { device: 'lpmos1', address: '10.77.0.3' };

async function startSecond(stack: Stack, settings: DaemonSettings): Promise<RunningChild> {
  const { device, address } = PARTNER;
  const link = { ...(DHCP_LINK.server as object), interface: device };
  await createPort({ name: device, bridge: LAB_LINK.bridge, address: `${address}/24` });
  return stack.startPartner({ ...settings, LPMOS_DHCP_LINKS: JSON.stringify([link]) });
}

interface Rack {
  powerOn(spec: MachineSpec): Promise<PoweredOn>;
  powerOff(name: string): Promise<null>;
  machine(name: string): Machine;
  clear(): Promise<void>;
}

function createRack({ dir, machineMegabits }: LabSettings, accelerator: Accelerator['kind']): Rack {
  const running = new Map<string, Machine>();
  const taps = new Map<string, string>();
  let powerOns = 0;
  const machine = (name: string): Machine => {
    const found = running.get(name);
    if (found === undefined) throw new Error(`machine ${name} is off`);
    return found;
  };
  const tapOf = async (mac: string): Promise<string> => {
    const known = taps.get(mac);
    if (known !== undefined) return known;
    const tap = `tap${taps.size}`;
    taps.set(mac, tap);
    await createTap({ name: tap, bridge: LAB_LINK.bridge });
    if (machineMegabits !== undefined) await limitRate(tap, machineMegabits);
    return tap;
  };
  return {
    async powerOn(spec) {
      if (running.has(spec.name)) throw new Error(`machine ${spec.name} is on already`);
      powerOns += 1;
      const consoleLog = join(dir, `console-${String(powerOns).padStart(2, '0')}-${spec.name}.log`);
      const tap = await tapOf(spec.mac);
      const otherNics: OtherNic[] = [];
      for (const nic of spec.otherNics ?? []) otherNics.push({ ...nic, tap: await tapOf(nic.mac) });
      const atMs = Date.now();
      const described = { firmware: 'bios', ...spec, tap, otherNics, accelerator, consoleLog } as const;
      running.set(spec.name, await startMachine(described));
      return { consoleLog, atMs };
    },
    async powerOff(name) {
      await running.get(name)?.kill();
      running.delete(name);
      return null;
    },
    machine,
    async clear() {
      for (const name of [...running.keys()]) await this.powerOff(name);
    },
  };
}

function operations(stack: Stack, rack: Rack): Operations {
  return {
    powerOn: (spec) => rack.powerOn(spec),
    powerOff: ({ name }) => rack.powerOff(name),
    waitConsole: async ({ name, pattern, deadlineMs }) => {
      const { text } = await rack.machine(name).console.waitFor(new RegExp(pattern), { deadlineMs });
      return { text };
    },
    type: async ({ name, text }) => {
      rack.machine(name).type(text);
      return null;
    },
    get: async ({ url }) => {
      const answer = await fetch(url, { signal: AbortSignal.timeout(HTTP_MS) });
      const body = Buffer.from(await answer.arrayBuffer());
      // Scripts are small; of a kernel the size is enough.
      return { status: answer.status, bytes: body.length, text: body.subarray(0, 16_384).toString('latin1') };
    },
    killDaemon: async () => {
      await stack.daemon.kill();
      return null;
    },
    health: () => health(stack),
  };
}

async function health(stack: Stack): Promise<{ connectedAgents: number }> {
  const text = await new Promise<string>((resolve, reject) => {
    const options = {
      ...{ host: LAB_LINK.serviceAddress, port: PORTS.agentApi, path: '/health', timeout: HTTP_MS },
      ...{ ca: readFileSync(stack.keys.caFile), servername: stack.keys.tlsName },
    };
    const request = httpsRequest(options, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
  const agents = /"connected_agents":\s*(\d+)/.exec(text)?.[1];
  if (agents === undefined) throw new Error(`the health page does not count agents: ${text}`);
  return { connectedAgents: Number(agents) };
}

async function answer(table: Operations, request: LabRequest): Promise<LabAnswer> {
  try {
    const operation = table[request.operation] as (argument: unknown) => Promise<unknown>;
    return { id: request.id, result: await operation(request.argument) };
  } catch (thrown) {
    return { id: request.id, problem: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

async function serve(settings: LabSettings): Promise<void> {
  const { dir, ramdiskDir, imagesDir } = settings;
  const say = (value: LabReady | LabAnswer): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
  const accelerator = await probeAccelerator({ kernel: settings.kernel });
  await createBridge({ name: LAB_LINK.bridge, address: LAB_LINK.bridgeAddress });
  if (settings.lossPercent !== undefined) await loseFrames(settings.lossPercent);
  const foreign = settings.link === 'proxy' ? await startForeignDhcp(foreignDhcp(settings)) : undefined;
  const partners =
    settings.withPartner === true
      ? partnerSettings(dir, [LAB_LINK.serviceAddress, PARTNER.address])
      : undefined;
  const stack = await startStack({
    ...{ dir, regionId: 'lab', ramdiskDir, imagesDir, ports: PORTS },
    serviceAddress: LAB_LINK.serviceAddress,
    dhcpLink: DHCP_LINK[settings.link],
    daemonSettings: { ...settings.daemonSettings, ...partners?.[0] },
    // Refused requests of nobody in particular (a file that is not there) are daily weather, but not in this lab.
    logLevel: 'debug',
  });
  const partner = partners === undefined ? undefined : await startSecond(stack, partners[1]);
  const forward = await forwardFromNamespace({
    ...{ socketPath: settings.socketPath, host: '127.0.0.1', port: PORTS.api },
  });
  const rack = createRack(settings, accelerator.kind);
  const table = operations(stack, rack);
  const token = signToken({ keyFile: stack.keys.tokenKeyFile, subject: 'operator@lab', roles: ['admin'] });
  say({ token, accelerator: `${accelerator.kind}: ${accelerator.reason}` });
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => void answer(table, JSON.parse(line) as LabRequest).then(say));
  await once(input, 'close');
  await rack.clear();
  await forward.close();
  await partner?.stop();
  await stack.stop();
  await foreign?.stop();
}

void serve(JSON.parse(process.argv[2] ?? '{}') as LabSettings).then(
  () => process.exit(0),
  (thrown: unknown) => {
    process.stderr.write(
      `lab: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`,
    );
    process.exit(1);
  },
);
