/**
 * Two daemons of one region and real DHCP clients on one wire.
 *
 *     region (10.82.0.1 on p0, 10.82.0.2 on p1) -- switch -- client a, b, c
 *
 * Owns namespaces, processes and a folder, and takes them away in `close`. Needs root and iproute2. What runs in the region is region-pair-site.ts.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { buildPrograms } from '../../../scripts/build';
import { partnerSettings } from '../../../scripts/stack/partners';
import type { DaemonSettings } from '../../../scripts/stack/partners';
import { ip } from './ip-command';
import type { PairSettings } from './region-pair-site';

const SITE_PROGRAM = resolve(__dirname, 'region-pair-site.ts');
const START_WITHIN_MS = 90_000;
const WITHIN_MS = 40_000;
export const CLIENTS = ['a', 'b', 'c'] as const;
export type PairClient = (typeof CLIENTS)[number];
export const ADDRESSES = ['10.82.0.1', '10.82.0.2'] as const;
const LINK = {
  name: 'row',
  subnet: '10.82.0.0/24',
  pool: { first: '10.82.0.100', last: '10.82.0.109' },
  lease_seconds: 600,
};

let labs = 0;

export class PairLab {
  readonly dir = mkdtempSync(join(tmpdir(), 'lpmos-pair-'));
  readonly logs: readonly [string[], string[]] = [[], []];
  pids: readonly number[] = [];
  readonly #tag: string;
  #site: ChildProcess | undefined;
  #siteErrors = '';
  #copies: number | undefined;

  private constructor() {
    labs += 1;
    this.#tag = `${process.pid % 100_000}x${labs}`;
  }

  static async open(): Promise<PairLab> {
    const lab = new PairLab();
    try {
      lab.#makeNetwork();
      await lab.#startRegion();
      return lab;
    } catch (thrown) {
      await lab.close();
      throw thrown;
    }
  }

  /** `cut` is the second daemon's way to etcd. */
  command(text: 'start-first' | 'cut' | 'count-copies'): void {
    this.#site?.stdin?.write(`${text}\n`);
  }

  /** Waits until etcd has copies of so many leases. */
  async untilCopied(leases: number): Promise<void> {
    await this.until(`${leases} leases are copied`, async () => {
      this.#copies = undefined;
      this.command('count-copies');
      await this.until('etcd is read', () => this.#copies !== undefined);
      return (this.#copies ?? 0) >= leases;
    });
  }

  /** One exchange of a foreign client from its start. @returns its address and the server's; empty without a lease */
  async lease(
    client: PairClient,
  ): Promise<{ readonly address: string; readonly server: string } | undefined> {
    const args = ['-i', 'eth0', '-f', '-n', '-q', '-t', '4', '-T', '1', '-s', join(this.dir, 'told.sh')];
    const said = await this.#output(client, ['udhcpc', ...args]);
    const [, address, server] = /^bound (\S+) (\S+)$/m.exec(said) ?? [];
    return address === undefined || server === undefined ? undefined : { address, server };
  }

  /** Broadcasts a datagram from a client's port 68. @returns every answer that comes within a second, from whichever server */
  async broadcast(client: PairClient, bytes: Uint8Array): Promise<readonly Buffer[]> {
    const script = `
      const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
      socket.on('message', (bytes) => console.log(bytes.toString('hex')));
      socket.bind(68, () => {
        socket.setBroadcast(true);
        socket.send(Buffer.from('${Buffer.from(bytes).toString('hex')}', 'hex'), 67, '255.255.255.255');
      });
      setTimeout(() => socket.close(), 1000);`;
    const said = await this.#output(client, [process.execPath, '-e', script]);
    return said
      .split('\n')
      .filter(Boolean)
      .map((line) => Buffer.from(line, 'hex'));
  }

  mac(client: PairClient): string {
    const args = ['netns', 'exec', this.#space(client), 'cat', '/sys/class/net/eth0/address'];
    return spawnSync('ip', args, { encoding: 'utf8' }).stdout.trim();
  }

  has(of: 0 | 1, text: string): boolean {
    return this.logs[of].some((line) => line.includes(text));
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, withinMs = WITHIN_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!(await holds())) {
      if (performance.now() > deadline) {
        const tails = this.logs.map((lines) => lines.slice(-8).join('\n')).join('\n--\n');
        throw new Error(`not within ${withinMs} ms: ${what}\n${tails}\n${this.#siteErrors}`);
      }
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }

  async close(): Promise<void> {
    const site = this.#site;
    if (site !== undefined && site.exitCode === null && site.signalCode === null) {
      const gone = new Promise((ended) => site.once('close', ended));
      site.kill('SIGTERM');
      const late = setTimeout(() => site.kill('SIGKILL'), WITHIN_MS);
      await gone;
      clearTimeout(late);
    }
    for (const place of ['region', 'switch', ...CLIENTS])
      spawnSync('ip', ['netns', 'del', this.#space(place)]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #space(place: string): string {
    return `lpmos-p${place}${this.#tag}`;
  }

  #output(client: PairClient, program: readonly string[]): Promise<string> {
    const child = spawn('ip', ['netns', 'exec', this.#space(client), ...program], { cwd: this.dir });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return new Promise((resolved) => child.once('close', () => resolved(text)));
  }

  #makeNetwork(): void {
    for (const place of ['region', 'switch', ...CLIENTS]) ip(['netns', 'add', this.#space(place)]);
    ip(['-n', this.#space('switch'), 'link', 'add', 'br0', 'type', 'bridge']);
    ip(['-n', this.#space('switch'), 'link', 'set', 'br0', 'up']);
    ip(['-n', this.#space('region'), 'link', 'set', 'lo', 'up']);
    const plug = (place: string, device: string, port: string): void => {
      const cable = [
        'link',
        'add',
        device,
        'netns',
        this.#space(place),
        'type',
        'veth',
        'peer',
        'name',
        port,
      ];
      ip([...cable, 'netns', this.#space('switch')]);
      ip(['-n', this.#space('switch'), 'link', 'set', port, 'master', 'br0', 'up']);
      ip(['-n', this.#space(place), 'link', 'set', device, 'up']);
      // Raw-socket clients see frames before the kernel fills in the checksum that it would leave to hardware.
      spawnSync('ip', ['netns', 'exec', this.#space(place), 'ethtool', '-K', device, 'tx', 'off']);
    };
    plug('region', 'p0', 'sp0');
    plug('region', 'p1', 'sp1');
    ADDRESSES.forEach((address, index) =>
      ip(['-n', this.#space('region'), 'addr', 'add', `${address}/24`, 'dev', `p${index}`]),
    );
    for (const client of CLIENTS) {
      plug(client, 'eth0', `s${client}`);
      // For sockets that broadcast without an address.
      ip(['-n', this.#space(client), 'route', 'add', 'default', 'dev', 'eth0']);
    }
    const told = '#!/bin/sh\n[ "$1" = bound ] && echo "bound $ip $serverid"\nexit 0\n';
    writeFileSync(join(this.dir, 'told.sh'), told, { mode: 0o755 });
  }

  async #startRegion(): Promise<void> {
    const programsDir = join(this.dir, 'programs');
    await buildPrograms(programsDir);
    mkdirSync(join(this.dir, 'none'));
    const [first, second] = partnerSettings(this.dir, ADDRESSES);
    const on = (index: 0 | 1): DaemonSettings => ({
      LPMOS_LOADER_DIR: join(this.dir, 'none'),
      LPMOS_DHCP_LINKS: JSON.stringify([{ ...LINK, interface: `p${index}` }]),
    });
    const settings: PairSettings = {
      dir: this.dir,
      programsDir,
      daemons: [
        { ...first, ...on(0) },
        { ...second, ...on(1) },
      ],
    };
    const program = [process.execPath, '--import', 'tsx', SITE_PROGRAM, JSON.stringify(settings)];
    const site = spawn('ip', ['netns', 'exec', this.#space('region'), ...program]);
    this.#site = site;
    site.stderr.on('data', (chunk: Buffer) => (this.#siteErrors += chunk.toString()));
    createInterface({ input: site.stdout }).on('line', (text) => {
      const said = JSON.parse(text) as { of?: 0 | 1; line?: string; pids?: number[]; copies?: number };
      if (said.of !== undefined && said.line !== undefined) this.logs[said.of].push(said.line);
      this.#copies = said.copies ?? this.#copies;
      if (said.pids !== undefined) this.pids = said.pids;
    });
    const ended = (): boolean => site.exitCode !== null;
    await this.until('both daemons run', () => this.pids.length > 0 || ended(), START_WITHIN_MS);
    if (this.pids.length === 0) throw new Error(`the region did not start: ${this.#siteErrors}`);
  }
}
