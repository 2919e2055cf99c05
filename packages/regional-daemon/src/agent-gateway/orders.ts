/** Orders as messages: from what the planner wants to what goes over the wire, with the image, the grant and the host's settings. Pure. */
import type { ImageManifest, TaskRecord } from '@lpmos/core';
import type { SessionResponse } from '@lpmos/proto';
import { checkInToken } from '../boot/tokens';
import type { RegionSecrets } from '../boot/secrets';
import type { Order } from '../reconcile/plan';

export interface OrderSurroundings {
  readonly imageOf: (task: TaskRecord) => ImageManifest | undefined;
  readonly secrets: RegionSecrets;
  /** URL of the folder of images, ending in a slash. */
  readonly imagesUrl: () => string;
  /** URL to which an installed host says that it is up. */
  readonly checkInUrl: () => string;
  /** The same on the region's other daemon. */
  readonly partnerCheckInUrl: () => string | undefined;
  readonly tlsServerName: string;
}

export function orderMessage(
  task: TaskRecord,
  order: Order,
  surroundings: OrderSurroundings,
): SessionResponse {
  switch (order.kind) {
    case 'wait':
      return { message: { $case: 'wait', value: { reason: order.reason } } };
    case 'cancel':
      return { message: { $case: 'cancel', value: { reason: order.reason } } };
    case 'reboot':
      return { message: { $case: 'reboot', value: { reason: order.reason } } };
    case 'install':
      return installMessage(task, order.attempt, surroundings);
  }
}

/** Name of a host whose task gives none: unique and traceable to its machine. */
export function defaultHostname(task: TaskRecord): string {
  return `host-${task.metadata.target_mac.replaceAll(':', '')}`;
}

function installMessage(task: TaskRecord, attempt: number, surroundings: OrderSurroundings): SessionResponse {
  const image = surroundings.imageOf(task);
  if (image === undefined || task.grant === undefined) {
    const missing = image === undefined ? 'the image is missing in this region' : 'there is no grant';
    return { message: { $case: 'wait', value: { reason: `cannot install: ${missing}` } } };
  }
  const { metadata } = task;
  return {
    message: {
      $case: 'install',
      value: {
        attempt,
        grant: task.grant,
        keepBootOrder: metadata.boot?.order === 'unchanged',
        image: {
          url: `${surroundings.imagesUrl()}${encodeURIComponent(image.file)}`,
          rawSha256: image.raw_sha256,
          rawSizeBytes: String(image.raw_size_bytes),
          compressedSha256: image.compressed_sha256,
          compressedSizeBytes: String(image.compressed_size_bytes),
          rootPartitionLabel: image.root_partition_label,
        },
        settings: {
          hostname: metadata.hostname ?? defaultHostname(task),
          sshAuthorizedKeys: [...metadata.ssh_authorized_keys],
          networkConfig: metadata.network_config,
          checkIn: {
            url: surroundings.checkInUrl(),
            token: checkInToken(surroundings.secrets, metadata.id),
            tlsServerName: surroundings.tlsServerName,
            partnerUrl: surroundings.partnerCheckInUrl(),
          },
        },
      },
    },
  };
}
