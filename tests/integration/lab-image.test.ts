/**
 * The pure parts of the demo image: where things lie on the disk, the patches of GRUB's BIOS stages, and the first-boot
 * check-in script run for real against an HTTPS server, with a systemctl that only notes what it was asked.
 */
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  partitionScript,
  patchBootSector,
  patchCoreImage,
  planLayout,
  ROOT_PARTITION_LABEL,
} from '../../scripts/image/disk-layout';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-image-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('planLayout and partitionScript', () => {
  it('gives a table that sfdisk accepts, with the root as the last partition', () => {
    const layout = planLayout(100);
    const image = join(folder, 'disk.raw');
    writeFileSync(image, '');
    truncateSync(image, layout.totalBytes);
    const env = { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' };
    execFileSync('sfdisk', ['--quiet', '--no-reread', image], { input: partitionScript(layout), env });
    const table = JSON.parse(execFileSync('sfdisk', ['--json', image], { encoding: 'utf8', env })) as {
      partitiontable: { label: string; partitions: { name: string; start: number; size: number }[] };
    };
    expect(table.partitiontable.label).toBe('gpt');
    expect(table.partitiontable.partitions.map(({ name }) => name)).toEqual([
      'lpmos-bios',
      'lpmos-efi',
      ROOT_PARTITION_LABEL,
    ]);
    expect(table.partitiontable.partitions[2]).toMatchObject({
      start: layout.rootSector,
      size: layout.rootSectors,
    });
  });
});

describe('GRUB stages', () => {
  it('tells the boot sector where the core image starts and keeps off the partition table', () => {
    const code = patchBootSector(new Uint8Array(512).fill(0xee), 2048);
    expect(code.length).toBe(440);
    expect(new DataView(code.buffer).getBigUint64(0x5c, true)).toBe(2048n);
    expect([code[0x65], code[0x66], code[0x67], code[0x68]]).toEqual([0xee, 0x90, 0x90, 0xee]);
  });

  it('tells the first core sector where the others are', () => {
    const core = patchCoreImage(new Uint8Array(1300).fill(1), 2048);
    const view = new DataView(core.buffer);
    expect(core.length).toBe(3 * 512);
    expect([view.getBigUint64(500, true), view.getUint16(508, true), view.getUint16(510, true)]).toEqual([
      2049n,
      2,
      0x820,
    ]);
    expect(() => patchCoreImage(new Uint8Array(2 * 1024 * 1024), 2048)).toThrow(/does not fit/);
  });
});

describe('first-boot check-in', () => {
  const SCRIPT = join(__dirname, '../../scripts/image/overlay/usr/lib/lpmos/check-in');
  let server: Server;
  let answers: number[] = [];
  const requests: { host: string; authorization: string; body: string }[] = [];

  beforeEach(async () => {
    requests.length = 0;
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
    const subject = ['-subj', '/CN=region', '-addext', 'subjectAltName=DNS:region.lab.lpmos'];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    });
    server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      request.on('end', () => {
        const { host = '', authorization = '' } = request.headers;
        requests.push({ host, authorization, body });
        response.writeHead(answers.shift() ?? 202).end('{}');
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  });

  /** The script with its three fixed paths turned to the test's folder. */
  async function checkIn(
    more: (url: string) => Readonly<Record<string, string>> = () => ({}),
  ): Promise<{ output: string; calls: string; settings: string }> {
    const port = (server.address() as AddressInfo).port;
    const url = `https://127.0.0.1:${port}/api/v1/agent/status`;
    const settings = join(folder, 'check-in.json');
    const fields = {
      url,
      ca_file: join(folder, 'ca.pem'),
      tls_server_name: 'region.lab.lpmos',
      token: 'secret-token',
      mac_address: '52:54:00:77:00:01',
      task_id: '0198c2f0-0000-8000-8000-000000000001',
      ...more(url),
    };
    writeFileSync(settings, JSON.stringify(fields, null, 2));
    const script = readFileSync(SCRIPT, 'utf8')
      .replace('SETTINGS=/etc/lpmos/check-in.json', `SETTINGS=${settings}`)
      .replaceAll('/run/lpmos-check-in.error', join(folder, 'error'));
    writeFileSync(join(folder, 'script'), script);
    writeFileSync(join(folder, 'systemctl'), `#!/bin/sh\necho "$@" >>${folder}/calls\n`);
    chmodSync(join(folder, 'systemctl'), 0o755);
    const output = await new Promise<string>((resolve) => {
      const env = { PATH: `${folder}:/usr/bin:/bin` };
      execFile('sh', [join(folder, 'script')], { env, timeout: 20_000 }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
    return { output, calls: readFileSync(join(folder, 'calls'), 'utf8'), settings };
  }

  it('posts once under the TLS name, says so, and forgets the token', async () => {
    answers = [];
    const { output, calls, settings } = await checkIn();
    expect(output).toMatch(/^lpmos: checked in as \S+ with 127\.0\.0\.1:\d+\n$/);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.host).toMatch(/^region\.lab\.lpmos:/);
    expect(requests[0]?.authorization).toBe('Bearer secret-token');
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({
      mac_address: '52:54:00:77:00:01',
      task_id: '0198c2f0-0000-8000-8000-000000000001',
      status: 'host_up',
      progress: 100,
    });
    expect(existsSync(settings)).toBe(false);
    expect(calls).toContain('disable lpmos-check-in.service');
  });

  it('tries again after a failure of the server', async () => {
    answers = [503, 202];
    const { output } = await checkIn();
    expect(requests).toHaveLength(2);
    expect(output).toContain('checked in');
  });

  it('tells the other daemon of the region when the first is gone', async () => {
    answers = [202];
    const { output } = await checkIn((url) => ({
      url: 'https://127.0.0.1:9/api/v1/agent/status',
      partner_url: url,
    }));
    expect(requests).toHaveLength(1);
    expect(output).toMatch(/checked in as \S+ with 127\.0\.0\.1:(?!9\n)\d+/);
  });

  it('stops at a refusal, and forgets the token then as well', async () => {
    answers = [401];
    const { output, settings } = await checkIn();
    expect(requests).toHaveLength(1);
    expect(output).toContain('refused');
    expect(existsSync(settings)).toBe(false);
  });
});
