/**
 * A whole installation over real sockets: gRPC with TLS, HTTP with broken connections, a file as the disk, ext4 mounted by loop.
 * What it proves of "What must never happen" (docs/architecture.md): no byte on a disk without a live grant for this task, hardware, disk and image.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BENCH_TASK_ID,
  canMountLoop,
  compressImage,
  makeGrantKeys,
  makeTestImage,
  prepareBench,
  smbiosTable,
} from '@lpmos/boot-agent';
import type { Bench, BenchMessage, OrderChange } from '@lpmos/boot-agent';
import { itWhen } from './harness/it-when';

const image = makeTestImage();
const loop = canMountLoop();
let bench: Bench;

beforeEach(async () => {
  bench = await prepareBench(image);
});
afterEach(async () => {
  await bench.stop();
});

const result = (message: BenchMessage) => (message.$case === 'result' ? message.value : undefined);
const obeyed = (message: BenchMessage) => (message.$case === 'cancelObeyed' ? message.value : undefined);

describe('an installation', () => {
  it(`ends with the image on the disk, settings inside and a reboot${loop ? '' : ' (without loop mounts: fails at personalisation)'}`, async () => {
    bench.images.behaviour.cutAfter = [1_000_000, 100_000, 2_000_000];
    bench.images.behaviour.failWith = [503];
    const ended = bench.start();
    expect(await bench.report()).toMatchObject({
      mac_address: '52:54:00:12:34:56',
      disks: [
        {
          device: '/dev/vda',
          serial: 'DISK-1',
          by_id: ['virtio-DISK-1'],
          contents: { partition_table: 'none' },
        },
      ],
      system: { service_tag: 'SVC1234' },
    });
    await bench.order();
    const outcome = await bench.region.next('result', result);
    if (!loop) {
      expect(outcome).toMatchObject({ success: false, failureClass: 'personalisation' });
      bench.region.send({ $case: 'reboot', value: { reason: 'test' } });
      expect(await ended).toBe(0);
      return;
    }
    expect(outcome).toMatchObject({ attempt: 1, success: true, diskTouched: true, failureClass: '' });
    expect(await ended).toBe(0);
    expect(bench.machine.commands.slice(-2)).toEqual(['sync', 'reboot -f']);
    expect(bench.images.ranges).toHaveLength(5);
    expect(bench.images.ranges.slice(2)).toEqual([
      expect.stringMatching(/^bytes=\d+-$/),
      expect.stringMatching(/^bytes=\d+-$/),
      expect.stringMatching(/^bytes=\d+-$/),
    ]);
    expectInstalled(bench);
    expect(bench.console()).toContain('writing         [####################] 100 %  21 of 21 MB');
    expect(
      bench
        .console()
        .split('\n')
        .every((line) => /^[\x20-\x7e]{0,79}$/.test(line)),
    ).toBe(true);
  });

  it('goes on when the link to the region breaks, and tells the outcome on the next one', async () => {
    bench.images.behaviour.stallAfter = 3_000_000;
    const ended = bench.start();
    await bench.order();
    await bench.region.next('writing', (m) =>
      m.$case === 'progress' && m.value.phase === 'writing' ? m : undefined,
    );
    bench.region.dropLink();
    const outcome = await bench.region.next('result', result);
    expect(outcome.success).toBe(loop);
    if (!loop) bench.region.send({ $case: 'reboot', value: { reason: 'test' } });
    expect(await ended).toBe(0);
    expect(bench.region.hellos.map(({ proof }) => proof)).toEqual([
      { $case: 'ticket', value: 't1' },
      { $case: 'sessionToken', value: 'token-1' },
    ]);
    const numbers = bench.region.received.map(({ seq }) => Number(seq));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(bench.region.received.filter(({ message }) => message?.$case === 'result')).toHaveLength(1);
  });

  it('stops at a safe point when it is cancelled, says so and leaves nothing bootable', async () => {
    bench.images.behaviour.stallAfter = 6_000_000;
    const ended = bench.start();
    await bench.order();
    await bench.region.next('bytes', (m) =>
      m.$case === 'progress' && Number(m.value.bytesDone) > 0 ? m : undefined,
    );
    bench.region.send({ $case: 'cancel', value: { reason: 'operator' } });
    expect(await bench.region.next('cancelObeyed', obeyed)).toMatchObject({ diskTouched: true });
    expect(
      readFileSync(bench.disk)
        .subarray(0, 4 * 1024 * 1024)
        .every((byte) => byte === 0),
    ).toBe(true);
    bench.region.send({ $case: 'reboot', value: { reason: 'cancelled' } });
    expect(await ended).toBe(0);
    expect(bench.console()).toContain('restarting: cancelled');
  });

  itWhen(loop ? undefined : 'no loop mounts here, so no image is personalised')(
    'does not follow links of the image',
    async () => {
      await bench.stop();
      bench = await prepareBench(makeTestImage({ hostile: true }));
      const ended = bench.start();
      await bench.order();
      expect(await bench.region.next('result', result)).toMatchObject({
        success: false,
        failureClass: 'personalisation',
        message: expect.stringContaining('/etc/systemd, which is a symbolic link') as string,
      });
      expect(bench.machine.commands.filter((command) => command.startsWith('umount'))).toHaveLength(1);
      bench.region.send({ $case: 'reboot', value: { reason: 'test' } });
      await ended;
    },
  );

  it('notices bytes that are not the image, and leaves nothing bootable', async () => {
    const wrong = Buffer.from(image.raw);
    wrong[9_000_000] = (wrong[9_000_000] ?? 0) ^ 1;
    const other = compressImage(wrong);
    bench.images.behaviour.body = other.compressed;
    bench.images.behaviour.etag = undefined;
    const ended = bench.start();
    const sizes = {
      compressedSizeBytes: String(other.compressed.length),
      compressedSha256: other.compressedSha256,
    };
    await bench.order({ image: sizes });
    expect(await bench.region.next('result', result)).toMatchObject({
      success: false,
      failureClass: 'image_digest',
      diskTouched: true,
      message: expect.stringContaining(other.rawSha256) as string,
    });
    expect(
      readFileSync(bench.disk)
        .subarray(0, 4 * 1024 * 1024)
        .every((byte) => byte === 0),
    ).toBe(true);
    bench.region.send({ $case: 'reboot', value: { reason: 'test' } });
    await ended;
  });
});

function expectInstalled({ disk, image: { raw }, machine }: Bench): void {
  const now = readFileSync(disk);
  // Between the table and the root file system, and after it, every byte is the image's.
  expect(now.subarray(1024 * 1024, 2 * 1024 * 1024).equals(raw.subarray(1024 * 1024, 2 * 1024 * 1024))).toBe(
    true,
  );
  expect(execFileSync('sgdisk', ['--verify', disk], { encoding: 'utf8' })).toContain('No problems found');
  const dir = mkdtempSync(join(tmpdir(), 'lpmos-check-'));
  execFileSync('mount', ['-o', `ro,loop,offset=${2 * 1024 * 1024}`, disk, dir]);
  try {
    const text = (path: string): string => readFileSync(join(dir, path), 'utf8');
    const mode = (path: string): string => (statSync(join(dir, path)).mode & 0o777).toString(8);
    expect(text('etc/hostname')).toBe('web-1\n');
    expect(text('etc/hosts')).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tweb-1\n');
    expect(text('root/.ssh/authorized_keys')).toBe('ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n');
    expect([mode('root/.ssh'), mode('root/.ssh/authorized_keys'), mode('etc/lpmos/check-in.json')]).toEqual([
      '700',
      '600',
      '600',
    ]);
    expect(JSON.parse(text('etc/lpmos/check-in.json'))).toEqual({
      url: 'https://192.0.2.1:8443/check-in',
      ca_file: '/etc/lpmos/ca.pem',
      tls_server_name: 'region.lab.lpmos.internal',
      token: 'check-in-token',
      mac_address: '52:54:00:12:34:56',
      task_id: BENCH_TASK_ID,
    });
    expect(text('etc/lpmos/ca.pem').trim()).toBe(
      readFileSync(join(machine.root, 'lpmos/site/ca.pem'), 'utf8').trim(),
    );
    expect(text('etc/systemd/network/10-lpmos.network')).toContain('MACAddress=52:54:00:12:34:56');
  } finally {
    execFileSync('umount', [dir]);
    rmSync(dir, { recursive: true });
  }
}

describe('a refusal', () => {
  const cases: [string, string, OrderChange | (() => OrderChange)][] = [
    ['a grant of another key', 'grant_refused', () => ({ keys: makeGrantKeys() })],
    ['a grant without signature', 'grant_refused', { alg: 'none' }],
    ['a grant signed with the public key as a secret', 'grant_refused', { alg: 'HS256' }],
    [
      'a grant for another task',
      'grant_refused',
      { claims: { sub: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9e' as typeof BENCH_TASK_ID } },
    ],
    ['a grant for another audience', 'grant_refused', { claims: { aud: 'x' as 'lpmos-boot-agent' } }],
    ['a grant that is over', 'grant_refused', { claims: { exp: 1_700_000_000 } }],
    ['a grant whose write budget is used up', 'grant_refused', { attempt: 4 }],
    ['a grant for another image', 'grant_refused', { claims: { image_digest: `sha256:${'0'.repeat(64)}` } }],
    [
      'a grant for other hardware',
      'hardware_changed',
      { claims: { hardware_digest: `sha256:${'0'.repeat(64)}` } },
    ],
    [
      'a grant for another disk',
      'disk_refused',
      { claims: { disk: { serial: 'OTHER', wwn: '', model: '', size_bytes: 50331648 } } },
    ],
    ['a grant without a disk', 'grant_refused', { claims: { disk: 'DISK-1' as never } }],
    ['an order without settings', 'agent_fault', { install: { settings: undefined } }],
    ['a server that names another digest', 'image_digest', { image: { compressedSha256: '1'.repeat(64) } }],
    ['an image of another size', 'image_digest', { image: { compressedSizeBytes: '1234' } }],
  ];
  it.each(cases)('of %s is %s and leaves every byte of the disk', async (_name, failureClass, change) => {
    execFileSync('sfdisk', ['-q', bench.disk], { input: 'label: gpt\nsize=8MiB, name=precious\n' });
    const before = bench.diskDigest();
    const ended = bench.start();
    expect((await bench.report()).disks[0]?.contents.partitions[0]?.label).toBe('precious');
    await bench.order(typeof change === 'function' ? change() : change);
    expect(await bench.region.next('result', result)).toMatchObject({
      success: false,
      failureClass,
      diskTouched: false,
    });
    expect(bench.diskDigest()).toBe(before);
    expect(bench.machine.commands).toEqual([]);
    bench.region.send({ $case: 'reboot', value: { reason: 'refused' } });
    expect(await ended).toBe(0);
  });

  it('of hardware that changed after the report leaves the disk and sends the new report', async () => {
    const before = bench.diskDigest();
    const ended = bench.start();
    await bench.report();
    bench.machine.write(
      '/sys/firmware/dmi/tables/DMI',
      smbiosTable([{ type: 1, length: 0x1b, texts: { 0x07: 'SWAPPED' } }]),
    );
    await bench.order();
    expect(await bench.region.next('result', result)).toMatchObject({
      failureClass: 'hardware_changed',
      diskTouched: false,
    });
    const swapped = (m: BenchMessage) =>
      m.$case === 'hardware' && m.value.system?.serviceTag === 'SWAPPED' ? m : undefined;
    await bench.region.next('new report', swapped);
    expect(bench.diskDigest()).toBe(before);
    bench.region.send({ $case: 'reboot', value: { reason: 'refused' } });
    await ended;
  });

  it('of a mounted disk leaves it', async () => {
    bench.machine.write('/proc/mounts', '/dev/vda1 /data ext4 rw 0 0\n');
    const before = bench.diskDigest();
    const ended = bench.start();
    await bench.order();
    expect(await bench.region.next('result', result)).toMatchObject({
      failureClass: 'disk_refused',
      diskTouched: false,
    });
    expect(bench.diskDigest()).toBe(before);
    bench.region.send({ $case: 'reboot', value: { reason: 'refused' } });
    await ended;
  });

  it('judges expiry by the time of the region, not of the machine', async () => {
    bench.region.policy.offsetMs = 2 * 60 * 60 * 1000;
    const ended = bench.start();
    await bench.order();
    expect(await bench.region.next('result', result)).toMatchObject({
      failureClass: 'grant_refused',
      diskTouched: false,
    });
    expect(bench.said()).toContain('the clock of this machine is 7200 s slow');
    bench.region.send({ $case: 'reboot', value: { reason: 'refused' } });
    await ended;
  });
});

describe('a session', () => {
  it('is refused to a region of another name, whatever it answers', async () => {
    bench.region.policy.regionId = 'elsewhere';
    const ended = bench.start();
    await bench.until(() => bench.said().includes('region elsewhere answers, region lab was called'));
    expect(bench.region.received).toEqual([]);
    bench.region.policy.regionId = 'lab';
    await bench.report();
    bench.region.send({ $case: 'reboot', value: { reason: 'test' } });
    expect(await ended).toBe(0);
  });

  it('is asked for again while the region refuses it', async () => {
    bench.region.policy.refuse = true;
    const ended = bench.start();
    await bench.until(() => bench.said().includes('ticket used'));
    bench.region.policy.refuse = false;
    await bench.report();
    bench.region.send({ $case: 'reboot', value: { reason: 'test' } });
    expect(await ended).toBe(0);
  });
});
