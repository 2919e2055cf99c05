/** Whether the region can serve a task, or in words what it lacks. Pure; the words appear in the task's explanation. */
import { findImage } from '@lpmos/core';
import type { ImageManifest, TaskRecord } from '@lpmos/core';
import type { TaskFacts } from './plan';

export function preparationOf(
  task: TaskRecord,
  catalogue: { readonly images: readonly ImageManifest[]; readonly ramdisk: unknown },
): TaskFacts['preparation'] {
  const { os_type, os_version, region_id } = task.metadata;
  const missing = [
    ...(catalogue.ramdisk === undefined ? ['the ramdisk with the boot agent'] : []),
    ...(findImage(catalogue.images, task.metadata) === undefined
      ? [`an image of ${os_type} ${os_version}`]
      : []),
  ];
  if (missing.length === 0) return { ready: true };
  const offered =
    catalogue.images.map((image) => `${image.os_type} ${image.os_version}`).join(', ') || 'none';
  return {
    ready: false,
    reason: `region ${region_id} lacks ${missing.join(' and ')} (images it has: ${offered}); copy it there and the task goes on`,
  };
}
