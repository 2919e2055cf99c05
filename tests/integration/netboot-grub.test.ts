/**
 * What GRUB asks for, on real sockets of the loopback interface: names that are made when they are asked for, by TFTP and by HTTP, in the
 * spellings that shim and GRUB use. And GRUB's own parser over every kind of script. Real firmware is in tests/e2e.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootDecision, MacAddress, TaskId } from '@lpmos/core';
import {
  createBootHttpServer,
  createFileTable,
  createMemoryAssets,
  createTftpServer,
  grubMachineScript,
  grubMenu,
  grubModules,
  renderGrubScript,
} from '@lpmos/netboot';
import type { BootEvent, BootHttpServer, FoundFile, TftpServer } from '@lpmos/netboot';
import { systemClock, until } from '../conformance/harness/netboot-foreign-clients';
import { rawTftp, rrq } from '../conformance/harness/raw-tftp';
import type { RawTftp } from '../conformance/harness/raw-tftp';
import { secureBootLoaders } from '../../scripts/lab/secure-boot-loaders';
import { itWhen } from './harness/it-when';

const MAC = '52:54:00:4c:50:05' as MacAddress;
const DECISION: BootDecision = { kind: 'local-disk', reason: 'the machine is installed' };
const SCRIPT = Buffer.from("echo 'x'\n".padEnd(4096, '\n'));
const MACHINE_NAME = `grub/machine/${MAC}.cfg`;

let events: BootEvent[];
let asked: string[];
let give: ((file: FoundFile) => void) | undefined;

beforeEach(() => {
  [events, asked, give] = [[], [], undefined];
});

/** Two names: one at once, one when the test gives it. */
function find(name: string, address: string): Promise<FoundFile> | undefined {
  asked.push(`${name} for ${address}`);
  if (name === MACHINE_NAME)
    return Promise.resolve({ bytes: SCRIPT, about: { mac: MAC, decision: DECISION } });
  if (name === 'grub/late.cfg') return new Promise((resolve) => (give = resolve));
  if (name === 'grub/other.cfg') return Promise.resolve({ refused: 'not yours', about: { mac: MAC } });
  return undefined;
}

describe('by TFTP', () => {
  let server: TftpServer;
  let client: RawTftp;
  let port: number;

  beforeEach(async () => {
    server = createTftpServer({
      ...{ address: '127.0.0.1', port: 0, find, clock: systemClock },
      files: createFileTable({ 'grubx64.efi': Uint8Array.of(1) }),
      onEvent: (event) => events.push(event),
    });
    ({ port } = await server.start());
    client = await rawTftp();
  });
  afterEach(async () => {
    client.close();
    await server.stop();
  });

  it('a name of GRUB is found with the address that asks, and its event names the machine and the decision', async () => {
    client.send(rrq(`/${MACHINE_NAME}`, ['blksize', '1024'], ['tsize', '0']), port);
    const { packet, from } = await client.next();
    expect(packet).toMatchObject({
      kind: 'OACK',
      options: [
        ['blksize', '1024'],
        ['tsize', '4096'],
      ],
    });
    client.send({ kind: 'ACK', block: 0 }, from);
    expect(await client.takeAll(1024)).toEqual(SCRIPT);
    expect(asked).toEqual([`${MACHINE_NAME} for 127.0.0.1`]);
    await until('the transfer is reported', () => events.some(({ outcome }) => outcome === 'completed'));
    for (const event of events) expect(event).toMatchObject({ mac: MAC, decision: DECISION });
  });

  it('a name of the table is not asked for', async () => {
    client.send(rrq('grubx64.efi'), port);
    expect(await client.takeAll()).toEqual(Buffer.of(1));
    expect(asked).toEqual([]);
  });

  it.each(['/grub/x86_64-efi/command.lst', 'revocations_sbat.efi', '/grub/other.cfg'])(
    '%s is not there, which is said at once',
    async (name) => {
      client.send(rrq(name), port);
      expect((await client.next()).packet).toMatchObject({ kind: 'ERROR', code: 1 });
      expect(events).toMatchObject([{ outcome: 'refused', request: `RRQ ${name}` }]);
    },
  );

  it('a request that is repeated while its file is read has one transfer', async () => {
    for (let turn = 0; turn < 3; turn += 1) client.send(rrq('grub/late.cfg'), port);
    const other = await rawTftp();
    other.send(rrq('nothing'), port);
    // The answer to the last shows that those before it were read.
    expect((await other.next()).packet).toMatchObject({ kind: 'ERROR' });
    other.close();
    expect(asked.filter((name) => name.startsWith('grub/late'))).toHaveLength(1);
    give?.({ bytes: Buffer.from('late') });
    expect((await client.takeAll()).toString()).toBe('late');
    expect(server.sessions()).toBeLessThanOrEqual(1);
    expect(client.inbox).toEqual([]);
  });

  it('a file that comes after the stop is sent to nobody', async () => {
    client.send(rrq('grub/late.cfg'), port);
    await until('the file is asked for', () => give !== undefined);
    await server.stop();
    give?.({ bytes: SCRIPT });
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.sessions()).toBe(0);
    expect(events).toEqual([]);
  });
});

describe('by HTTP', () => {
  let server: BootHttpServer;
  let base: string;

  beforeEach(async () => {
    const none = createMemoryAssets(new Map());
    server = createBootHttpServer({
      ...{ address: '127.0.0.1', port: 0, assets: none, images: none, clock: systemClock, grub: find },
      loaders: createMemoryAssets(new Map([['grubx64.efi', { bytes: Uint8Array.of(1), etag: '"1"' }]])),
      decider: { decide: () => DECISION },
      scripts: { bootScript: () => '#!ipxe\nexit\n' },
      holderOf: () => MAC,
      onEvent: (event) => events.push(event),
    });
    base = `http://127.0.0.1:${(await server.start()).port}`;
  });
  afterEach(() => server.stop());

  it('HEAD and GET of a script agree, with colons in the name as GRUB writes them', async () => {
    for (const method of ['HEAD', 'GET']) {
      const answer = await fetch(`${base}//${MACHINE_NAME}`, { method });
      expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '4096']);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await answer.text()).toBe(method === 'GET' ? SCRIPT.toString() : '');
    }
    expect(events).toMatchObject(
      Array.from({ length: 2 }, () => ({ outcome: 'answered', mac: MAC, decision: DECISION })),
    );
  });

  it('shim finds GRUB beside itself, with the slash that it doubles', async () => {
    const answer = await fetch(`${base}/boot/loaders//grubx64.efi`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/efi']);
  });

  it.each(['/grub/x86_64-efi/fs.lst', '/grub/other.cfg', '/grub', '/boot/loaders//revocations_sbat.efi'])(
    '%s is not there',
    async (path) => {
      expect((await fetch(`${base}${path}`)).status).toBe(404);
      expect(events).toMatchObject([{ outcome: 'refused' }]);
    },
  );

  it('the script of a machine is not given to the holder of another lease', async () => {
    const own = await fetch(`${base}/boot/menu.ipxe?mac=${MAC}`);
    expect(await own.text()).toBe('#!ipxe\nexit\n');
    const foreign = await fetch(`${base}/boot/menu.ipxe?mac=52:54:00:00:00:99`);
    expect(await foreign.text()).toContain(`leased to ${MAC}`);
    expect(events.map(({ outcome, mac }) => [outcome, mac])).toEqual([
      ['answered', MAC],
      ['refused', MAC],
    ]);
  });
});

it("the modules of Debian's signed GRUB are found in its file", async () => {
  const { grub } = await secureBootLoaders();
  const modules = grubModules(readFileSync(grub));
  expect(modules.size).toBeGreaterThan(80);
  for (const name of ['normal', 'linux', 'tftp', 'search_fs_file', 'sleep', 'test']) {
    expect([...modules]).toContain(name);
  }
}, 120_000);

const CHECKER = ['/usr/bin/grub-script-check', '/usr/local/bin/grub-script-check'].find(existsSync);

describe("GRUB's own parser", () => {
  const missing =
    CHECKER === undefined ? 'no grub-script-check on this host: apt-get install grub-common' : undefined;
  const nasty = 'it\'s; a "test" of $(reboot) && `exit` # { } \\ \u00e9';
  const decisions: BootDecision[] = [
    { kind: 'agent', purpose: 'install', taskId: 'T' as TaskId, reason: nasty },
    { kind: 'wait', retryAfterSeconds: 5, reason: nasty },
    { kind: 'local-disk', reason: nasty },
    { kind: 'silent', reason: nasty },
  ];
  const agent = {
    kernel: '/agent/vmlinuz',
    initrds: ['/a', '/b'],
    kernelArguments: [['x', '$y;{}&|<>#`']] as const,
  };

  itWhen(missing)('takes the menu and every machine script', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lpmos-grub-'));
    try {
      const retry = { seconds: 15, attempts: 20, jitter: 0.5 };
      const menu = grubMenu({ machineScript: { before: '/grub/machine/', behind: '.cfg' }, retry });
      const machines = decisions.map((decision) =>
        grubMachineScript(decision, { machine: nasty, region: nasty, jitter: 0, agent }),
      );
      for (const script of [menu, ...machines]) {
        const file = join(folder, 'grub.cfg');
        writeFileSync(file, renderGrubScript(script));
        expect(() => execFileSync(CHECKER ?? '', [file], { stdio: 'pipe' })).not.toThrow();
      }
      writeFileSync(join(folder, 'bad.cfg'), "if true; then echo 'x\n");
      expect(() => execFileSync(CHECKER ?? '', [join(folder, 'bad.cfg')], { stdio: 'pipe' })).toThrow();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
