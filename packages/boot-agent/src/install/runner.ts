/**
 * One installation from order to outcome: verify the grant against hardware probed now, write the image, read it back, personalise.
 * It reports phases; it does not talk to the region (session/) nor reboot. See docs/architecture.md.
 * Invariant: no byte goes to a disk before verifyGrant returned it, and the outcome always says whether one did.
 */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { hardwareDigest, imageDigest } from '@lpmos/core';
import type { Disk, FailureClass, HardwareReport, MacAddress, TaskId } from '@lpmos/core';
import type { Gpt } from '../disk/gpt';
import type { HostReader } from '../host-reader';
import { probeHardware } from '../probe/hardware';
import { downloadImage } from './download';
import type { DownloadRules } from './download';
import { putDiskFirst } from './boot-order';
import { InstallCancelled, InstallFailure, reasonOf, safePoint } from './failure';
import { spanGptOverDisk } from './gpt-repair';
import type { InstallOrder } from './install-order';
import { appearPartition, partitionByLabel } from './partition-device';
import { personalise } from './personalise';
import { openTargetDisk } from './target-disk';
import type { TargetDisk } from './target-disk';
import { verifyGrant } from './verify-grant';
import { makeUnbootable, readBack, writeImage } from './write-image';

export type InstallPhase = 'verifying-grant' | 'writing' | 'verifying' | 'personalising' | 'done';

export interface InstallProgress {
  readonly phase: InstallPhase;
  /** Of this phase, 0..100. */
  readonly percent: number;
  readonly message: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export type InstallOutcome =
  | { readonly kind: 'success'; readonly message: string; readonly diskTouched: true }
  | { readonly kind: 'cancelled'; readonly message: string; readonly diskTouched: boolean }
  | {
      readonly kind: 'failed';
      readonly failureClass: FailureClass;
      readonly message: string;
      readonly diskTouched: boolean;
      /** The hardware as it is now, when it is not what was approved. */
      readonly report?: HardwareReport;
    };

export interface InstallOptions {
  readonly order: InstallOrder;
  readonly taskId: TaskId;
  readonly mac: MacAddress;
  readonly caPem: string;
  readonly grantKey: KeyObject;
  readonly reader: HostReader;
  readonly downloadRules: DownloadRules;
  /** Milliseconds since the epoch as the region sees them. */
  readonly regionTimeMs: () => number;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** Aborted when the order is cancelled; obeyed at the next safe point. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: InstallProgress) => void;
  readonly onTrouble: (message: string) => void;
}

/** Never throws. */
export async function runInstall(options: InstallOptions): Promise<InstallOutcome> {
  const seen: { report?: HardwareReport; target?: TargetDisk } = {};
  const touched = (): boolean => seen.target?.touched() ?? false;
  try {
    const disk = await granted(options, seen);
    await writeAndPersonalise(options, disk, seen);
    say(options, 'done', 'installed');
    return {
      kind: 'success',
      message: `installed on ${disk.device} (serial ${disk.serial})`,
      diskTouched: true,
    };
  } catch (thrown) {
    if (thrown instanceof InstallCancelled) {
      const message = touched()
        ? 'cancelled; the disk holds no bootable system any more'
        : 'cancelled before anything was written';
      return { kind: 'cancelled', message, diskTouched: touched() };
    }
    const failureClass = thrown instanceof InstallFailure ? thrown.failureClass : 'agent_fault';
    const failed = {
      kind: 'failed',
      failureClass,
      message: reasonOf(thrown),
      diskTouched: touched(),
    } as const;
    return failureClass === 'hardware_changed' && seen.report !== undefined
      ? { ...failed, report: seen.report }
      : failed;
  }
}

/** The disk that the grant names, found in hardware probed for this purpose. */
async function granted(options: InstallOptions, seen: { report?: HardwareReport }): Promise<Disk> {
  const { order, reader, mac } = options;
  say(options, 'verifying-grant', `attempt ${order.attempt}: checking the grant against this machine`);
  safePoint(options.signal);
  const report = await probeHardware({ reader, mac, nowMs: options.regionTimeMs() });
  seen.report = report;
  const { disk } = verifyGrant({
    grant: order.grant,
    key: options.grantKey,
    situation: {
      taskId: options.taskId,
      hardwareDigest: hardwareDigest(report, (bytes) => createHash('sha256').update(bytes).digest()),
      imageDigest: imageDigest({ raw_sha256: order.image.rawSha256 }),
      attempt: order.attempt,
      disks: report.disks,
      nowSeconds: Math.floor(options.regionTimeMs() / 1000),
    },
  });
  say(
    options,
    'verifying-grant',
    `the grant allows ${disk.device} (${disk.model || disk.type}, serial ${disk.serial})`,
  );
  return disk;
}

async function writeAndPersonalise(
  options: InstallOptions,
  disk: Disk,
  seen: { target?: TargetDisk },
): Promise<void> {
  const { order, reader, signal } = options;
  const { image } = order;
  const target = await openTargetDisk({ reader, disk, neededBytes: image.rawSizeBytes });
  seen.target = target;
  const progress = (phase: InstallPhase, words: string) => (done: number) =>
    say(options, phase, words, [done, image.rawSizeBytes]);
  let gpt;
  let partition;
  try {
    const writing = progress('writing', `writing the image to ${disk.device}`);
    writing(0);
    const compressed = downloadImage({
      url: image.url,
      sizeBytes: image.compressedSizeBytes,
      sha256: image.compressedSha256,
      signal,
      rules: options.downloadRules,
      random: options.random,
      onTrouble: options.onTrouble,
    });
    await writeImage({ target, image, compressed, signal, onBytes: writing });
    // Without this the bytes would come back from memory and prove nothing.
    await flushBuffers(reader, disk.device);
    await readBack({ target, image, signal, onBytes: progress('verifying', `reading ${disk.device} back`) });
    say(options, 'personalising', `setting up host ${order.settings.hostname}`);
    gpt = await spanGptOverDisk(target);
    partition = partitionByLabel(gpt, image.rootPartitionLabel);
  } catch (thrown) {
    // Refused or cancelled after the first block went out: such a disk must not boot half an answer.
    if (target.touched()) await makeUnbootable(target, image.rawSizeBytes).catch(() => undefined);
    throw thrown;
  } finally {
    await target.close();
  }
  const device = await appearPartition({ reader, device: disk.device, partition, nowMs: options.nowMs });
  const { settings } = order;
  await personalise({
    reader,
    device,
    settings,
    mac: options.mac,
    taskId: options.taskId,
    caPem: options.caPem,
  });
  await flushBuffers(reader, disk.device);
  await orderBoots(options, disk, gpt);
}

/** The last step, because nothing may name a disk that does not hold a system; and the only one that may go wrong. */
async function orderBoots(options: InstallOptions, disk: Disk, gpt: Gpt): Promise<void> {
  if (options.order.bootOrder === 'unchanged') {
    say(options, 'personalising', 'the boot order stays as it is, as the task says');
    return;
  }
  const { reader, nowMs } = options;
  const outcome = await putDiskFirst({ reader, disk, gpt, nowMs, processor: process.arch });
  say(options, 'personalising', outcome.message);
  if (outcome.kind === 'warning') options.onTrouble(outcome.message);
}

async function flushBuffers(reader: HostReader, device: string): Promise<void> {
  const { code, output } = await reader.run(['blockdev', '--flushbufs', device], 120_000);
  if (code !== 0)
    throw new InstallFailure('disk_write', `flushing ${device} failed: ${output}; check the disk`);
}

function say(
  options: InstallOptions,
  phase: InstallPhase,
  message: string,
  bytes?: readonly [number, number],
): void {
  const [bytesDone, bytesTotal] = bytes ?? [0, 0];
  const ended = phase === 'done';
  const percent = bytesTotal > 0 ? Math.floor((100 * bytesDone) / bytesTotal) : ended ? 100 : 0;
  options.onProgress({ phase, percent, message, bytesDone, bytesTotal });
}
