/**
 * Two network namespaces joined by a veth pair: our DHCP server as a process in one, foreign clients in the other.
 * Owns everything that it makes (namespaces, processes, a temporary folder) and takes it away in `close`. Needs root and iproute2.
 */
import type { BootDecision } from '@lpmos/core';
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { DhcpLink, Lease } from '@lpmos/netboot';
import { ip } from './ip-command';
import { makeLossySwitch } from './lossy-switch';
import type { LossySwitchOptions } from './lossy-switch';

const SERVER_PROGRAM = resolve(__dirname, 'netboot-dhcp-server.ts');
/** A TypeScript program starts in under two seconds on an idle machine. */
const START_WITHIN_MS = 30_000;
const COMMAND_WITHIN_MS = 20_000;

export const LAB_LINK: DhcpLink = {
  name: 'lab',
  serverAddress: '10.77.0.1',
  subnet: '10.77.0.0/24',
  pool: { first: '10.77.0.100', last: '10.77.0.199' },
  router: '10.77.0.254',
  dnsServers: ['10.77.0.53'],
  domain: 'lab.example',
  leaseSeconds: 600,
  offerSeconds: 30,
  reservations: [],
  relays: [],
  ports: { server: 67, client: 68, relay: 67 },
  boot: {
    nextServer: '10.77.0.1',
    loaders: { bios: 'undionly.kpxe' },
    scriptUrl: 'http://10.77.0.1/boot/menu.ipxe',
  },
  unknownClients: 'lease',
};

/** The parts of a boot event that tests look at. */
export interface SeenEvent {
  readonly request: string;
  readonly outcome: string;
  readonly reason: string;
  readonly peer: string;
}

export interface LabOptions {
  readonly link?: Partial<DhcpLink>;
  /** For the one client machine; `silent` when absent. */
  readonly decision?: BootDecision['kind'];
  /** A switch between server and clients that loses frames; without it they are joined by one wire. */
  readonly switch?: Omit<LossySwitchOptions, 'name' | 'serverDevice' | 'serverSpace' | 'clientSpace'>;
}

let labs = 0;

export class DhcpLab {
  readonly events: SeenEvent[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'lpmos-dhcp-'));
  readonly device: string;
  /** Of all client machines: `device` alone, without a switch. */
  devices: readonly string[];
  readonly #serverDevice: string;
  readonly #serverSpace: string;
  readonly #clientSpace: string;
  readonly #switchSpace: string;
  readonly #children: ChildProcess[] = [];
  #server: ChildProcess | undefined;
  #ready = false;
  #leases: readonly Lease[] | undefined;
  #errors = '';

  private constructor() {
    labs += 1;
    const tag = `${process.pid % 100_000}x${labs}`;
    this.device = `lpc${tag}`;
    this.devices = [this.device];
    this.#serverDevice = `lps${tag}`;
    this.#serverSpace = `lpmos-s${tag}`;
    this.#clientSpace = `lpmos-c${tag}`;
    this.#switchSpace = `lpmos-w${tag}`;
  }

  static async open(options: LabOptions = {}): Promise<DhcpLab> {
    const lab = new DhcpLab();
    try {
      lab.#makeNetwork(options);
      await lab.#startServer(options);
      return lab;
    } catch (thrown) {
      await lab.close();
      throw thrown;
    }
  }

  /** Why the lab cannot be built here, or undefined when it can. */
  static obstacle(program: string): string | undefined {
    if (process.getuid?.() !== 0) return `${program} against our DHCP server: network namespaces need root`;
    const missing = ['ip', program].filter(
      (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
    );
    return missing.length > 0 ? `no ${missing.join(' and no ')} here; install it` : undefined;
  }

  /** Starts a program beside the client's end of the wire; its output is collected in `output`. */
  client(program: string, args: readonly string[]): { readonly child: ChildProcess; output: () => string } {
    const child = spawn('ip', ['netns', 'exec', this.#clientSpace, program, ...args], { cwd: this.folder });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    this.#children.push(child);
    return { child, output: () => text };
  }

  /** Joins client and server by a second wire, on which the server has no address. @returns the client's device */
  addLink(): string {
    const [mine, its] = [`${this.device}b`, `${this.#serverDevice}b`];
    const pair = ['link', 'add', its, 'netns', this.#serverSpace];
    ip([...pair, 'type', 'veth', 'peer', 'name', mine, 'netns', this.#clientSpace]);
    ip(['-n', this.#serverSpace, 'link', 'set', its, 'up']);
    ip(['-n', this.#clientSpace, 'link', 'set', mine, 'up']);
    spawnSync('ip', ['netns', 'exec', this.#serverSpace, 'ethtool', '-K', its, 'tx', 'off']);
    return mine;
  }

  /** Runs a program beside the client's end of the wire to its end. */
  run(program: string, args: readonly string[]): string {
    const done = spawnSync('ip', ['netns', 'exec', this.#clientSpace, program, ...args], {
      encoding: 'utf8',
      timeout: COMMAND_WITHIN_MS,
      cwd: this.folder,
    });
    return `${done.stdout}${done.stderr}`;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  script(name: string, lines: readonly string[]): string {
    const path = this.path(name);
    writeFileSync(path, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
    return path;
  }

  async leases(): Promise<readonly Lease[]> {
    this.#leases = undefined;
    this.#server?.stdin?.write('\n');
    await this.until('the server lists its leases', () => this.#leases !== undefined);
    return this.#leases ?? [];
  }

  saw(request: string, reason: RegExp): boolean {
    return this.events.some((event) => event.request === request && reason.test(event.reason));
  }

  async until(what: string, condition: () => boolean, withinMs = COMMAND_WITHIN_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!condition()) {
      if (performance.now() > deadline) {
        const seen = this.events
          .map((event) => `${event.request} from ${event.peer}: ${event.reason}`)
          .join('\n');
        throw new Error(`not within ${withinMs} ms: ${what}\nevents:\n${seen}\n${this.#errors}`);
      }
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }

  async close(): Promise<void> {
    const children = [...this.#children, ...(this.#server === undefined ? [] : [this.#server])];
    const alive = children.filter((child) => child.exitCode === null && child.signalCode === null);
    for (const child of alive) child.kill('SIGKILL');
    await Promise.all(alive.map((child) => new Promise((gone) => child.once('close', gone))));
    const spaces = [this.#serverSpace, this.#clientSpace, this.#switchSpace];
    for (const space of spaces) spawnSync('ip', ['netns', 'del', space]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #makeNetwork(options: LabOptions): void {
    const [server, client] = [this.#serverSpace, this.#clientSpace];
    ip(['netns', 'add', server]);
    ip(['netns', 'add', client]);
    if (options.switch === undefined) {
      const pair = ['link', 'add', this.#serverDevice, 'netns', server];
      ip([...pair, 'type', 'veth', 'peer', 'name', this.device, 'netns', client]);
      ip(['-n', client, 'link', 'set', this.device, 'up']);
    } else {
      const ends = { serverDevice: this.#serverDevice, serverSpace: server, clientSpace: client };
      this.devices = makeLossySwitch({ name: this.#switchSpace, ...ends, ...options.switch });
    }
    ip(['-n', server, 'addr', 'add', '10.77.0.1/24', 'dev', this.#serverDevice]);
    ip(['-n', server, 'link', 'set', this.#serverDevice, 'up']);
    // Raw-socket clients see frames before the kernel fills in the checksum that it would leave to hardware.
    spawnSync('ip', ['netns', 'exec', server, 'ethtool', '-K', this.#serverDevice, 'tx', 'off']);
  }

  async #startServer({ link, decision }: LabOptions): Promise<void> {
    const mac = this.run('cat', [`/sys/class/net/${this.devices[0] ?? ''}/address`]).trim();
    const settings = {
      link: { ...LAB_LINK, ...link },
      decisions: decision === undefined ? {} : { [mac]: decision },
    };
    const program = [process.execPath, '--import', 'tsx', SERVER_PROGRAM, JSON.stringify(settings)];
    const child = spawn('ip', ['netns', 'exec', this.#serverSpace, ...program], { stdio: 'pipe' });
    this.#server = child;
    child.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(line));
    await this.until('the server is ready', () => this.#ready, START_WITHIN_MS);
  }

  #take(line: string): void {
    const said = JSON.parse(line) as { ready?: unknown; event?: SeenEvent; leases?: readonly Lease[] };
    if (said.ready !== undefined) this.#ready = true;
    if (said.event !== undefined) this.events.push(said.event);
    if (said.leases !== undefined) this.#leases = said.leases;
  }
}
