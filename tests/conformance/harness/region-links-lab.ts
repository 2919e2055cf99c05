/**
 * A region with two links and one behind a relay, each a network namespace with real DHCP clients: what hears what is then the kernel's word.
 *
 *     client a -- 10.81.1.0/24 -- la [ region ] lb -- 10.81.2.0/24 -- client b
 *                     |
 *                   relay 10.81.1.254 / 10.81.3.1 -- 10.81.3.0/24 -- client c
 *
 * Owns namespaces, processes and a folder, and takes them away in `close`. Needs root and iproute2.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { buildPrograms } from '../../../scripts/build';
import type { SiteSettings } from './region-links-site';

const SITE_PROGRAM = resolve(__dirname, 'region-links-site.ts');
const START_WITHIN_MS = 60_000;
const COMMAND_WITHIN_MS = 30_000;

export type Place = 'region' | 'a' | 'b' | 'c' | 'relay';

export interface LinksLabOptions {
  /** The daemon's configuration file, as JSON, which is YAML. */
  readonly config: (lab: LinksLab) => unknown | Promise<unknown>;
  readonly serviceAddress?: string;
  readonly prefix?: (lab: LinksLab) => readonly string[];
  /** Clients whose machines get a task. */
  readonly tasksFor?: readonly ('a' | 'b' | 'c')[];
}

export interface LoggedEvent {
  readonly request?: string;
  readonly mac?: string;
  readonly peer?: string;
  readonly reason?: string;
  readonly outcome?: string;
}

let labs = 0;

export class LinksLab {
  readonly dir = mkdtempSync(join(tmpdir(), 'lpmos-links-'));
  readonly lines: string[] = [];
  daemonPid = 0;
  readonly #tag: string;
  readonly #children: ChildProcess[] = [];
  #site: ChildProcess | undefined;
  #siteErrors = '';

  private constructor() {
    labs += 1;
    this.#tag = `${process.pid % 100_000}x${labs}`;
  }

  static async open(options: LinksLabOptions): Promise<LinksLab> {
    const lab = new LinksLab();
    try {
      lab.#makeNetwork();
      await lab.#startRegion(options);
      return lab;
    } catch (thrown) {
      await lab.close();
      throw thrown;
    }
  }

  get configFile(): string {
    return join(this.dir, 'region.yaml');
  }

  /** The region's device on link `a` or `b`. */
  device(link: 'a' | 'b'): string {
    return `l${link}${this.#tag}`;
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  writeConfig(config: unknown): void {
    writeFileSync(this.configFile, JSON.stringify(config));
  }

  run(place: Place, program: string, ...args: readonly string[]): string {
    const inside = ['netns', 'exec', this.#space(place), program, ...args];
    const done = spawnSync('ip', inside, { encoding: 'utf8', timeout: COMMAND_WITHIN_MS, cwd: this.dir });
    return `${done.stdout}${done.stderr}`;
  }

  start(place: Place, program: string, ...args: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#space(place), program, ...args], { cwd: this.dir });
    this.#children.push(child);
    return child;
  }

  mac(client: 'a' | 'b' | 'c'): string {
    return this.run(client, 'cat', '/sys/class/net/eth0/address').trim();
  }

  /** One DHCP exchange of udhcpc to its end. @returns what its script was told, by name; empty without a lease */
  async lease(client: 'a' | 'b' | 'c', ...more: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const args = [
      '-i',
      'eth0',
      '-f',
      '-n',
      '-q',
      '-t',
      '5',
      '-T',
      '1',
      '-s',
      join(this.dir, 'told.sh'),
      ...more,
    ];
    const child = this.start(client, 'udhcpc', ...args);
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await new Promise((ended) => child.once('close', ended));
    const [, told = ''] = /^bound\n([^]*?)^end$/m.exec(text) ?? [];
    return new Map(
      told
        .trim()
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  /** The daemon's log. */
  events(): readonly LoggedEvent[] {
    return this.lines.map((line) => JSON.parse(line) as LoggedEvent);
  }

  async until(what: string, condition: () => boolean, withinMs = COMMAND_WITHIN_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!condition()) {
      if (performance.now() > deadline) {
        throw new Error(
          `not within ${withinMs} ms: ${what}\n${this.lines.slice(-20).join('\n')}\n${this.#siteErrors}`,
        );
      }
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }

  async close(): Promise<void> {
    this.#site?.kill('SIGTERM');
    const ended = this.#site === undefined || this.#site.exitCode !== null;
    if (!ended) await new Promise((gone) => this.#site?.once('close', gone));
    const alive = this.#children.filter((child) => child.exitCode === null && child.signalCode === null);
    for (const child of alive) child.kill('SIGKILL');
    await Promise.all(alive.map((child) => new Promise((gone) => child.once('close', gone))));
    for (const place of ['region', 'a', 'b', 'c', 'relay'] as const) {
      spawnSync('ip', ['netns', 'del', this.#space(place)]);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  #space(place: Place): string {
    return `lpmos-l${place}${this.#tag}`;
  }

  #makeNetwork(): void {
    for (const place of ['region', 'a', 'b', 'c', 'relay'] as const) ip('netns', 'add', this.#space(place));
    ip('-n', this.#space('region'), 'link', 'set', 'lo', 'up');
    // Client and relay share link a: a bridge in the relay's namespace is their switch.
    const cable = (one: Place, name: string, other: Place, its: string): void =>
      ip(
        'link',
        'add',
        name,
        'netns',
        this.#space(one),
        'type',
        'veth',
        'peer',
        'name',
        its,
        'netns',
        this.#space(other),
      );
    cable('region', this.device('a'), 'relay', 'up0');
    cable('a', 'eth0', 'relay', 'up1');
    cable('region', this.device('b'), 'b', 'eth0');
    cable('c', 'eth0', 'relay', 'down0');
    const relay = ['-n', this.#space('relay')];
    ip(...relay, 'link', 'add', 'br0', 'type', 'bridge');
    for (const port of ['up0', 'up1']) ip(...relay, 'link', 'set', port, 'master', 'br0', 'up');
    const address = (place: Place, device: string, cidr: string): void =>
      ip('-n', this.#space(place), 'addr', 'add', cidr, 'dev', device);
    address('relay', 'br0', '10.81.1.254/24');
    address('relay', 'down0', '10.81.3.1/24');
    address('region', this.device('a'), '10.81.1.1/24');
    address('region', this.device('b'), '10.81.2.1/24');
    const up = (place: Place, device: string): void => {
      ip('-n', this.#space(place), 'link', 'set', device, 'up');
      // Raw-socket clients see frames before the kernel fills in the checksum that it would leave to hardware.
      spawnSync('ip', ['netns', 'exec', this.#space(place), 'ethtool', '-K', device, 'tx', 'off']);
    };
    up('relay', 'br0');
    up('relay', 'down0');
    for (const device of ['up0', 'up1']) up('relay', device);
    up('region', this.device('a'));
    up('region', this.device('b'));
    for (const client of ['a', 'b', 'c'] as const) up(client, 'eth0');
    ip('-n', this.#space('region'), 'route', 'add', '10.81.3.0/24', 'via', '10.81.1.254');
    this.run('relay', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    const told = '#!/bin/sh\n[ "$1" = bound ] || exit 0\necho bound\nenv\necho end\n';
    writeFileSync(join(this.dir, 'told.sh'), told, { mode: 0o755 });
    const stay =
      '#!/bin/sh\n[ "$1" != bound ] || { ip addr replace $ip/24 dev eth0; ip route replace default via $router; }\necho "$1 $ip"\n';
    writeFileSync(join(this.dir, 'stay.sh'), stay, { mode: 0o755 });
  }

  /** dnsmasq as nothing but a relay of the link of client c. */
  async startRelay(server: string): Promise<void> {
    const relay = [
      '--no-daemon',
      '--port=0',
      '--conf-file=/dev/null',
      '--log-dhcp',
      `--dhcp-relay=10.81.3.1,${server}`,
    ];
    const child = this.start('relay', 'dnsmasq', ...relay, `--pid-file=${join(this.dir, 'relay.pid')}`);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await this.until(`the relay runs: ${said}`, () => said.includes('DHCP relay from 10.81.3.1'));
  }

  /** Sends a datagram from a client and waits for the answer. @returns its bytes; none when there is no answer */
  ask(client: 'a' | 'b' | 'c', to: { address: string; port: number }, bytes: Uint8Array): Uint8Array {
    const script = `
      const socket = require('node:dgram').createSocket('udp4');
      socket.once('message', (bytes) => { console.log(bytes.toString('hex')); socket.close(); });
      socket.bind(4011, () => socket.send(Buffer.from('${Buffer.from(bytes).toString('hex')}', 'hex'), ${to.port}, '${to.address}'));
      setTimeout(() => socket.close(), 5000).unref();`;
    return Buffer.from(this.run(client, process.execPath, '-e', script).trim(), 'hex');
  }

  /** Gives a client its address, as its DHCP script would. */
  configure(client: 'a' | 'b' | 'c', address: string, router: string): void {
    const space = ['-n', this.#space(client)];
    ip(...space, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip(...space, 'route', 'add', 'default', 'via', router);
  }

  async #startRegion({
    config,
    serviceAddress = '10.81.1.1',
    prefix,
    tasksFor = [],
  }: LinksLabOptions): Promise<void> {
    const programsDir = await programs();
    this.writeConfig(await config(this));
    mkdirSync(join(this.dir, 'none'));
    // Another user's daemon reads its keys and writes its state here.
    chmodSync(this.dir, 0o777);
    const settings: SiteSettings = {
      ...{ dir: this.dir, programsDir, configFile: this.configFile, serviceAddress },
      prefix: prefix?.(this) ?? [],
      machines: tasksFor.map((client) => this.mac(client)),
    };
    const program = [process.execPath, '--import', 'tsx', SITE_PROGRAM, JSON.stringify(settings)];
    const site = spawn('ip', ['netns', 'exec', this.#space('region'), ...program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#site = site;
    site.stderr.on('data', (chunk: Buffer) => (this.#siteErrors += chunk.toString()));
    createInterface({ input: site.stdout }).on('line', (text) => {
      const said = JSON.parse(text) as { line?: string; ready?: { pid: number } };
      if (said.line !== undefined) this.lines.push(said.line);
      if (said.ready !== undefined) this.daemonPid = said.ready.pid;
    });
    await this.until(
      'the region serves',
      () => this.daemonPid > 0 || site.exitCode !== null,
      START_WITHIN_MS,
    );
    if (this.daemonPid === 0) throw new Error(`the region did not start: ${this.#siteErrors}`);
  }
}

let built: Promise<string> | undefined;

/** For afterAll of a test file: what its labs shared. */
export async function removeLinksPrograms(): Promise<void> {
  const dir = await built;
  built = undefined;
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
}

/** Built once for all labs of a test file. Another user's daemon reads them. */
function programs(): Promise<string> {
  built ??= (async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lpmos-links-programs-'));
    await buildPrograms(dir);
    chmodSync(dir, 0o755);
    return dir;
  })();
  return built;
}

function ip(...args: readonly string[]): void {
  const done = spawnSync('ip', args, { encoding: 'utf8', timeout: COMMAND_WITHIN_MS });
  if (done.status !== 0) throw new Error(`ip ${args.join(' ')}: ${done.stderr}`);
}
