/**
 * One attempt to install: verify the grant against hardware collected now, stream the image to the disk it names, read back, leave the
 * settings, and say how it ended. Refusals come before the first byte; the disk of virtual-disk.ts checks this once more.
 * Orders, reporting over the link and reboots are agent.ts.
 */
import { createHash } from 'node:crypto';
import { hardwareDigest, imageDigest } from '@lpmos/core';
import type { Disk, FailureClass, HardwareReport, TaskId } from '@lpmos/core';
import type { Install } from '@lpmos/proto';
import { writeImage } from './image-writer';
import { InstallCancelled, InstallFailure } from './install-failure';
import type { MachinePoint } from './machine-points';
import type { SiteFiles } from './site-files';
import { verifyGrant } from './verify-grant';
import type { VerifiedGrant } from './verify-grant';
import { DiskViolation } from './virtual-disk';
import type { DiskWriter, InstalledSystem, VirtualDisk } from './virtual-disk';

export interface InstallerOptions {
  readonly order: Install;
  readonly taskId: TaskId;
  readonly mac: string;
  readonly site: SiteFiles;
  readonly collectHardware: () => HardwareReport;
  readonly diskOf: (disk: Disk) => VirtualDisk | undefined;
  /** By the region's clock. */
  readonly nowMs: () => number;
  readonly clientAddress: string;
  readonly timeScale: number;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** The region's reason to stop, once it gave one. */
  readonly cancellation: () => string | undefined;
  readonly onProgress: (progress: InstallProgress) => void;
  readonly at: (point: MachinePoint) => Promise<void>;
}

export interface InstallProgress {
  readonly phase: 'verifying-grant' | 'writing' | 'verifying' | 'personalising' | 'done';
  readonly percent: number;
  readonly message: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export type InstallOutcome =
  | { readonly kind: 'success'; readonly message: string; readonly disk: VirtualDisk }
  | {
      readonly kind: 'failure';
      readonly failureClass: FailureClass;
      readonly message: string;
      readonly diskTouched: boolean;
    }
  | { readonly kind: 'cancelled'; readonly message: string; readonly diskTouched: boolean };

/** A line for every few percent is enough for people, and keeps the link quiet. */
const PROGRESS_STEP_PERCENT = 5;

/** @throws the signal's reason when power goes; every other end is an outcome. */
export async function install(options: InstallerOptions): Promise<InstallOutcome> {
  const touched = { disk: false };
  try {
    return await attempt(options, touched);
  } catch (thrown) {
    options.signal.throwIfAborted();
    if (thrown instanceof InstallCancelled) {
      return { kind: 'cancelled', message: thrown.message, diskTouched: touched.disk };
    }
    const failureClass = classOf(thrown);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return { kind: 'failure', failureClass, message, diskTouched: touched.disk };
  }
}

function classOf(thrown: unknown): FailureClass {
  if (thrown instanceof InstallFailure) return thrown.failureClass;
  return thrown instanceof DiskViolation ? 'disk_refused' : 'agent_fault';
}

async function attempt(options: InstallerOptions, touched: { disk: boolean }): Promise<InstallOutcome> {
  const image = options.order.image;
  if (image === undefined) throw new InstallFailure('agent_fault', 'the order names no image');
  const report = reporter(options, Number(image.rawSizeBytes));
  report('verifying-grant', 0, 'checking the grant against this hardware');
  const grant = permission(options);
  const disk = options.diskOf(grant.disk);
  if (disk === undefined)
    throw new InstallFailure('disk_refused', `no disk ${grant.disk.serial} is plugged in`);
  if (Number(image.rawSizeBytes) > disk.identity.size_bytes) {
    throw new InstallFailure('disk_refused', `the image is larger than disk ${disk.identity.serial}`);
  }
  await options.at('grant-verified');
  stopIfCancelled(options);
  const writer = await writeTo(options, { disk, grant, touched, report });
  try {
    report('verifying', 0, 'reading the disk back');
    const found = await disk.sha256(Number(image.rawSizeBytes));
    options.signal.throwIfAborted();
    if (found !== image.rawSha256) {
      throw new InstallFailure(
        'disk_write',
        `the disk reads back as ${found}, written was ${image.rawSha256}`,
      );
    }
    await options.at('disk-verified');
    report('personalising', 100, 'writing the settings of this host');
    writer.finish(systemOf(options));
  } finally {
    writer.abandon();
  }
  await options.at('disk-finished');
  report('done', 100, 'installed');
  return { kind: 'success', message: `image written to disk ${grant.disk.serial} and read back`, disk };
}

function permission(options: InstallerOptions): VerifiedGrant {
  const { order, taskId } = options;
  const hardware = options.collectHardware();
  const result = verifyGrant({
    jws: order.grant,
    publicKey: options.site.grantKey,
    situation: {
      taskId,
      hardwareDigest: hardwareDigest(hardware, (bytes) => createHash('sha256').update(bytes).digest()),
      imageDigest: imageDigest({ raw_sha256: order.image?.rawSha256 ?? '' }),
      attempt: order.attempt,
      disks: hardware.disks,
      nowSeconds: Math.floor(options.nowMs() / 1000),
    },
  });
  if ('refusal' in result) {
    throw new InstallFailure(result.failureClass, `grant refused (${result.refusal}): ${result.detail}`);
  }
  return result;
}

async function writeTo(
  options: InstallerOptions,
  target: {
    readonly disk: VirtualDisk;
    readonly grant: VerifiedGrant;
    readonly touched: { disk: boolean };
    readonly report: Reporter;
  },
): Promise<DiskWriter> {
  const image = options.order.image;
  if (image === undefined) throw new InstallFailure('agent_fault', 'the order names no image');
  const total = Number(image.rawSizeBytes);
  const passed = { start: false, half: false };
  let writer: DiskWriter | undefined;
  try {
    await writeImage({
      image,
      clientAddress: options.clientAddress,
      signal: options.signal,
      timeScale: options.timeScale,
      random: options.random,
      begin: () => {
        writer = target.disk.beginWrite(target.grant);
        target.touched.disk = true;
        target.report('writing', 0, `writing disk ${target.grant.disk.serial}`);
      },
      write: async (offset, bytes) => {
        options.signal.throwIfAborted();
        await writer?.write(offset, bytes);
      },
      onBlock: async (bytesDone) => {
        target.report('writing', percentOf(bytesDone, total), 'writing', bytesDone);
        if (!passed.start) await options.at('write-started');
        passed.start = true;
        if (bytesDone * 2 >= total && !passed.half) {
          passed.half = true;
          await options.at('write-half');
        }
        stopIfCancelled(options);
      },
    });
  } catch (thrown) {
    writer?.abandon();
    throw thrown;
  }
  if (writer === undefined) throw new InstallFailure('image_download', 'the image is empty');
  return writer;
}

type Reporter = (
  phase: InstallProgress['phase'],
  percent: number,
  message: string,
  bytesDone?: number,
) => void;

function reporter(options: InstallerOptions, total: number): Reporter {
  let last = { phase: '', percent: 0 };
  return (phase, percent, message, bytesDone = phase === 'verifying-grant' ? 0 : total) => {
    const step = phase !== last.phase || percent >= last.percent + PROGRESS_STEP_PERCENT || percent === 100;
    if (!step) return;
    last = { phase, percent };
    options.onProgress({ phase, percent, message, bytesDone, bytesTotal: total });
  };
}

function systemOf(options: InstallerOptions): InstalledSystem {
  const { image, settings } = options.order;
  const checkIn = settings?.checkIn;
  return {
    taskId: options.taskId,
    imageSha256: image?.rawSha256 ?? '',
    imageBytes: Number(image?.rawSizeBytes ?? 0),
    rootPartitionLabel: image?.rootPartitionLabel ?? '',
    hostname: settings?.hostname ?? '',
    sshAuthorizedKeys: settings?.sshAuthorizedKeys ?? [],
    networkConfig: settings?.networkConfig ?? '',
    ...(checkIn === undefined
      ? {}
      : { checkIn: { ...checkIn, ca: options.site.ca, macAddress: options.mac } }),
  };
}

function stopIfCancelled(options: InstallerOptions): void {
  const reason = options.cancellation();
  if (reason !== undefined) throw new InstallCancelled(`stopped at a safe point: ${reason}`);
}

function percentOf(done: number, total: number): number {
  return total === 0 ? 100 : Math.floor((done * 100) / total);
}
