/**
 * A whole agent on a bench: fixture machine, fake region, image server and keys, wired as a booted ramdisk would be.
 * `prepare` sets the scene, `start` powers the agent on, `order` gives an install order with a good grant unless told otherwise.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hardwareDigest, identityOf } from '@lpmos/core';
import type { GrantClaims, HardwareReport, TaskId } from '@lpmos/core';
import { hardwareFromWire } from '@lpmos/proto';
import type { Install } from '@lpmos/proto';
import { runBootAgent } from '../boot-agent';
import { makeCertificates, SERVER_NAME, startFakeRegion } from './fake-region';
import type { FakeRegion } from './fake-region';
import { createFixtureMachine } from './fixture-machine';
import type { FixtureMachine } from './fixture-machine';
import { makeGrantKeys, signGrant } from './test-grant';
import type { GrantKeys } from './test-grant';
import { serveImage, sha256 } from './test-image';
import type { ImageServer, TestImage } from './test-image';

export const TASK_ID = '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId;
export const MAC = '52:54:00:12:34:56';
const DEADLINE_MS = 20_000;
const DISK_BYTES = 48 * 1024 * 1024;

export interface OrderChange {
  readonly claims?: Partial<GrantClaims>;
  readonly alg?: 'ES256' | 'HS256' | 'none';
  readonly keys?: GrantKeys;
  readonly attempt?: number;
  readonly install?: Partial<Install>;
  readonly image?: Partial<NonNullable<Install['image']>>;
}

export interface Bench {
  readonly machine: FixtureMachine;
  /** The daemon that the kernel command line names first. */
  readonly region: FakeRegion;
  /** The one that it names second, where the bench has two. */
  readonly second: FakeRegion;
  readonly images: ImageServer;
  readonly image: TestImage;
  readonly disk: string;
  /** What the console showed so far. */
  console(): string;
  /** The same with the lines that were too long for it whole again. */
  said(): string;
  diskDigest(): string;
  start(): Promise<number>;
  /** The report that came up first, as the region reads it. */
  report(): Promise<HardwareReport>;
  order(change?: OrderChange): Promise<void>;
  /** Waits for a condition; rejects after the deadline. */
  until(condition: () => boolean): Promise<void>;
  stop(): Promise<void>;
}

export async function prepareBench(
  image: TestImage,
  change: { readonly daemons?: 1 | 2 } = {},
): Promise<Bench> {
  const certificates = makeCertificates();
  const keys = makeGrantKeys();
  const region = await startFakeRegion(certificates);
  const second = change.daemons === 2 ? await startFakeRegion(certificates) : region;
  const images = await serveImage(image.compressed);
  const machine = createFixtureMachine();
  const disk = machine.addDisk({
    name: 'vda',
    bytes: DISK_BYTES,
    attributes: { serial: 'DISK-1\n', 'queue/rotational': '0\n' },
  });
  machine.write('/sys/class/net/eth0/address', `${MAC}\n`);
  machine.write('/sys/class/net/eth0/device/vendor', '0x1af4\n');
  const endpoints = [...new Set([region, second])].map(({ port }) => `127.0.0.1:${port}`);
  const words = [
    `lpmos.region=lab lpmos.agent=${endpoints.join(',')} lpmos.task=${TASK_ID}`,
    `lpmos.ticket=t1 lpmos.mac=${MAC}`,
  ];
  machine.write('/proc/cmdline', `quiet ${words.join(' ')} console=ttyS0\n`);
  machine.write('/lpmos/site/ca.pem', certificates.caPem);
  machine.write('/lpmos/site/grant.pem', keys.publicPem);
  const site = { schema_version: 1, region_id: 'lab', tls_server_name: SERVER_NAME };
  machine.write('/lpmos/site/site.json', JSON.stringify(site));
  const written: string[] = [];
  const report = async (): Promise<HardwareReport> => {
    const wire = await region.next('hardware', (message) =>
      message.$case === 'hardware' ? message.value : undefined,
    );
    const reading = hardwareFromWire(wire);
    if ('problems' in reading) throw new Error(JSON.stringify(reading.problems));
    return reading.report;
  };
  return {
    machine,
    region,
    second,
    images,
    image,
    disk,
    report,
    console: () => written.join(''),
    said: () => written.join('').replace(/\n {4}(?=\S)/g, ' '),
    until: async (condition) => {
      const deadline = Date.now() + DEADLINE_MS;
      while (!condition()) {
        if (Date.now() > deadline)
          throw new Error(`nothing of the kind happened; console: ${written.join('')}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    diskDigest: () => sha256(readFileSync(disk)),
    start: async () =>
      runBootAgent({
        reader: machine.reader,
        version: '0.0.0-test',
        write: (text) => void written.push(text),
        nowMs: Date.now,
        random: () => 0,
        nonce: 'aa',
        downloadRules: { silenceMs: 1000, mostTries: 4, backoff: { firstMs: 5, ceilingMs: 20 } },
      }),
    order: async (change = {}) => {
      const value = installOf({ report: await report(), image, url: images.url, keys, change });
      region.send({ $case: 'install', value });
    },
    stop: async () => {
      region.stop();
      second.stop();
      await images.stop();
      machine.remove();
    },
  };
}

function installOf(given: {
  readonly report: HardwareReport;
  readonly image: TestImage;
  readonly url: string;
  readonly keys: GrantKeys;
  readonly change: OrderChange;
}): Install {
  const { report, image, keys, change } = given;
  const [disk] = report.disks;
  if (disk === undefined) throw new Error('the report has no disk');
  const claims: Partial<GrantClaims> = {
    sub: TASK_ID,
    hardware_digest: hardwareDigest(report, (bytes) => createHash('sha256').update(bytes).digest()),
    disk: identityOf(disk),
    image_digest: `sha256:${image.rawSha256}`,
    ...change.claims,
  };
  return {
    attempt: change.attempt ?? 1,
    grant: signGrant(change.keys ?? keys, claims, change.alg),
    image: {
      url: given.url,
      rawSha256: image.rawSha256,
      rawSizeBytes: String(image.raw.length),
      compressedSha256: image.compressedSha256,
      compressedSizeBytes: String(image.compressed.length),
      rootPartitionLabel: 'lpmos-root',
      ...change.image,
    },
    settings: {
      hostname: 'web-1',
      sshAuthorizedKeys: ['ssh-ed25519 AAAA one', 'ssh-ed25519 BBBB two'],
      networkConfig: 'dhcp',
      checkIn: {
        url: 'https://192.0.2.1:8443/check-in',
        token: 'check-in-token',
        tlsServerName: SERVER_NAME,
      },
    },
    keepBootOrder: false,
    ...change.install,
  };
}
