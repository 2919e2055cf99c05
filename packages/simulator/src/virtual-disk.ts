/**
 * A disk that remembers everything that was done to it. Invariant (docs/architecture.md, "What must never happen", rules 1 and 2): no byte changes without a
 * VerifiedGrant for this disk, never more starts than the grant's budget, and never again for a task whose success the region knows.
 * A breach throws and stays in `violations`, so that a run which swallowed the error is still found out.
 */
import { createHash } from 'node:crypto';
import { isSameDisk } from '@lpmos/core';
import type { Disk, DiskContents } from '@lpmos/core';
import type { DiskStorage } from './disk-storage';
import { isVerifiedGrant } from './verify-grant';
import type { VerifiedGrant } from './verify-grant';

/** What personalisation leaves beside the image: the settings, and how the installed system checks in. */
export interface InstalledSystem {
  readonly taskId: string;
  readonly imageSha256: string;
  readonly imageBytes: number;
  readonly rootPartitionLabel: string;
  readonly hostname: string;
  readonly sshAuthorizedKeys: readonly string[];
  readonly networkConfig: string;
  readonly checkIn?: {
    readonly url: string;
    readonly token: string;
    readonly tlsServerName: string;
    /** The same on the region's other daemon. */
    readonly partnerUrl?: string | undefined;
    /** PEM. */
    readonly ca: string;
    readonly macAddress: string;
  };
}

/** One destructive start and how far it came. */
export interface DiskWriteRecord {
  readonly taskId: string;
  readonly attempt: number;
  readonly bytesWritten: number;
  readonly ended: 'finished' | 'abandoned' | 'open';
}

export interface DiskWriter {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** The last step: from here on the disk boots. */
  finish(system: InstalledSystem): void;
  /** Power went, or the attempt failed: the disk holds neither the old nor the new system. */
  abandon(): void;
}

export interface VirtualDisk {
  readonly identity: Disk;
  readonly violations: readonly string[];
  beginWrite(grant: VerifiedGrant): DiskWriter;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** SHA-256 in hex of the first `length` bytes, the whole disk by default. */
  sha256(length?: number): Promise<string>;
  /** The region acknowledged that this task succeeded: from now on the task may not write here again. */
  settle(taskId: string): void;
  system(): InstalledSystem | undefined;
  history(): readonly DiskWriteRecord[];
  contents(): DiskContents;
  close(): Promise<void>;
}

export class DiskViolation extends Error {
  constructor(problem: string) {
    super(`DISK VIOLATION: ${problem}`);
    this.name = 'DiskViolation';
  }
}

export interface VirtualDiskOptions {
  /** As the hardware report shows it; its serial, WWN and size are the disk's identity. */
  readonly identity: Disk;
  readonly storage: DiskStorage;
  /** What reaches the platter instead of `bytes`: the seam of faults (a flipped bit, a write error thrown). */
  readonly onWrite?: (offset: number, bytes: Uint8Array) => Uint8Array;
}

interface OpenRecord {
  taskId: string;
  attempt: number;
  bytesWritten: number;
  ended: DiskWriteRecord['ended'];
}

const READ_BYTES = 1024 * 1024;

export function createVirtualDisk(options: VirtualDiskOptions): VirtualDisk {
  const { identity, storage } = options;
  const records: OpenRecord[] = [];
  const violations: string[] = [];
  const settled = new Set<string>();
  let system: InstalledSystem | undefined;

  const refuse = (problem: string): never => {
    const text = `${identity.serial || identity.device}: ${problem}`;
    violations.push(text);
    throw new DiskViolation(text);
  };
  const read = (offset: number, length: number): Promise<Uint8Array> => {
    if (offset < 0 || length < 0 || offset + length > identity.size_bytes) {
      throw new RangeError(`read of ${length} bytes at ${offset}: the disk has ${identity.size_bytes}`);
    }
    return storage.read(offset, length);
  };

  return {
    identity,
    violations,
    read,
    sha256: (length = identity.size_bytes) => hashOf(read, length),
    settle: (taskId) => void settled.add(taskId),
    system: () => system,
    history: () => records.map((record) => ({ ...record })),
    contents: () => contentsOf(identity, system, records.length > 0),
    close: () => storage.close(),
    beginWrite(grant) {
      const problem = settled.has(grant.claims.sub)
        ? `task ${grant.claims.sub} succeeded on this disk and would be written again`
        : problemOfStart(identity, records, grant);
      if (problem !== undefined) return refuse(problem);
      for (const record of records) if (record.ended === 'open') record.ended = 'abandoned';
      const record: OpenRecord = {
        taskId: grant.claims.sub,
        attempt: grant.attempt,
        bytesWritten: 0,
        ended: 'open',
      };
      records.push(record);
      system = undefined;
      return createWriter({
        record,
        refuse,
        sizeBytes: identity.size_bytes,
        write: (offset, bytes) => storage.write(offset, options.onWrite?.(offset, bytes) ?? bytes),
        install: (installed) => (system = installed),
      });
    },
  };
}

function createWriter(parts: {
  readonly record: OpenRecord;
  readonly refuse: (problem: string) => never;
  readonly sizeBytes: number;
  readonly write: (offset: number, bytes: Uint8Array) => Promise<void>;
  readonly install: (system: InstalledSystem) => void;
}): DiskWriter {
  const { record, refuse } = parts;
  const mustBeOpen = (): void => {
    if (record.ended !== 'open') {
      refuse(`write of task ${record.taskId} attempt ${record.attempt} after it was ${record.ended}`);
    }
  };
  return {
    async write(offset, bytes) {
      mustBeOpen();
      if (offset < 0 || offset + bytes.length > parts.sizeBytes) {
        refuse(`write of ${bytes.length} bytes at ${offset}: the disk has ${parts.sizeBytes}`);
      }
      await parts.write(offset, bytes);
      record.bytesWritten += bytes.length;
    },
    finish(system) {
      mustBeOpen();
      record.ended = 'finished';
      parts.install(system);
    },
    abandon() {
      if (record.ended === 'open') record.ended = 'abandoned';
    },
  };
}

function problemOfStart(
  identity: Disk,
  records: readonly OpenRecord[],
  grant: VerifiedGrant,
): string | undefined {
  const task = grant.claims.sub;
  if (!isVerifiedGrant(grant)) return `write for task ${task} without a verified grant`;
  if (!isSameDisk(grant.claims.disk, identity)) {
    return `the grant of task ${task} names disk ${grant.claims.disk.serial}`;
  }
  const earlier = records.filter((record) => record.taskId === task);
  if (earlier.length >= grant.claims.write_budget) {
    return `start ${earlier.length + 1} for task ${task}, its budget is ${grant.claims.write_budget}`;
  }
  if (earlier.some((record) => record.attempt === grant.attempt)) {
    return `attempt ${grant.attempt} of task ${task} was started on this disk before`;
  }
  return undefined;
}

async function hashOf(read: VirtualDisk['read'], length: number): Promise<string> {
  const hash = createHash('sha256');
  for (let offset = 0; offset < length; offset += READ_BYTES) {
    hash.update(await read(offset, Math.min(READ_BYTES, length - offset)));
  }
  return hash.digest('hex');
}

/** GPT type of a Linux root partition (x86-64), as the images of the house carry it. */
const LINUX_ROOT_TYPE = '4f68bce3-e8cd-4db1-96e7-fbcaf984b709';

function contentsOf(identity: Disk, system: InstalledSystem | undefined, written: boolean): DiskContents {
  if (system === undefined) {
    return written ? { partition_table: 'unreadable', file_system: '', partitions: [] } : identity.contents;
  }
  const root = {
    number: 1,
    size_bytes: system.imageBytes,
    type: LINUX_ROOT_TYPE,
    label: system.rootPartitionLabel,
    file_system: 'ext4',
  };
  return { partition_table: 'gpt', file_system: '', partitions: [root] };
}
