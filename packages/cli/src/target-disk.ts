/**
 * Which disk an approval would overwrite: the same pure rule of core that the control plane applies, fed with the selector and the
 * size of the region's image. Only for showing; the control plane decides, on the version that was shown.
 */
import { findImage, parseDiskSelector, resolveDisk } from '@lpmos/core';
import type { Disk } from '@lpmos/core';
import type { ControlPlane, Hardware, TaskDocument } from './control-plane';
import { invalidOption } from './usage-error';

export type TargetDisk =
  { readonly disk: Disk; readonly approved: boolean; readonly note?: string } | { readonly problem: string };

export async function findTargetDisk(
  api: ControlPlane,
  task: TaskDocument,
  selector: string | undefined,
): Promise<TargetDisk | undefined> {
  if (selector !== undefined) checkSelector(selector);
  const hardware = task.hardware;
  if (hardware === undefined) return undefined;
  const approved = approvedDisk(task, hardware);
  if (approved !== undefined && selector === undefined) return { disk: approved, approved: true };
  return chooseDisk({
    hardware,
    selector: selector ?? task.metadata.disk_layout ?? 'auto',
    image: await imageOf(api, task),
  });
}

export interface DiskChoice {
  readonly hardware: Hardware;
  readonly selector: string;
  readonly image: { readonly raw_size_bytes: number } | undefined;
}

export function chooseDisk({ hardware, selector, image }: DiskChoice): TargetDisk {
  const parsed = parseDiskSelector(selector);
  if ('problem' in parsed) return parsed;
  const resolved = resolveDisk(parsed, hardware.disks, image?.raw_size_bytes ?? 0);
  if ('problem' in resolved || image !== undefined) {
    return 'problem' in resolved ? resolved : { disk: resolved.disk, approved: false };
  }
  return {
    disk: resolved.disk,
    approved: false,
    note: 'the region offers no such image now, so its size was not compared with the disk',
  };
}

export function checkSelector(selector: string): void {
  const parsed = parseDiskSelector(selector);
  if ('problem' in parsed) throw invalidOption('--disk', parsed.problem);
}

function approvedDisk(task: TaskDocument, hardware: Hardware): Disk | undefined {
  const identity = task.approval?.status === 'approved' ? task.approval.disk : undefined;
  if (identity === undefined) return undefined;
  return hardware.disks.find((disk) => disk.serial === identity.serial && disk.wwn === identity.wwn);
}

async function imageOf(
  api: ControlPlane,
  task: TaskDocument,
): Promise<{ readonly raw_size_bytes: number } | undefined> {
  const region = await api.getRegion(task.metadata.region_id);
  return findImage(region.images, task.metadata);
}
