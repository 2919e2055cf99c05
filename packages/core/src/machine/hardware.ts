/**
 * The hardware report as the seed writes it, with what an approver needs beside it: serials, WWNs, what is on each disk.
 * A document is its JSON: these types carry the contract's snake_case names, in the API, in etcd and here alike.
 * The fingerprint is what an approval is bound to: it holds what a machine *is*, not what is volatile
 * (device names, link state, negotiated speed, disk contents, time of collection).
 */
import { canonicalJson } from '../canonical-json';
import { hex } from '../ids';
import type { Sha256 } from '../ids';
import type { MacAddress } from './mac-address';

export interface Dimm {
  readonly slot: string;
  readonly size_gb: number;
  readonly type: string;
  readonly speed_mhz: number;
}

export interface PartitionContents {
  readonly number: number;
  readonly size_bytes: number;
  /** GPT type GUID or MBR type byte, in lower case. */
  readonly type: string;
  readonly label: string;
  /** `ext4`, `xfs`, `vfat`, `ntfs`, `lvm2`, `swap`, `luks`, … or empty when nothing was recognised. */
  readonly file_system: string;
}

/** What stands on a disk now: the approver must see what will be destroyed. */
export interface DiskContents {
  readonly partition_table: 'gpt' | 'mbr' | 'none' | 'unreadable';
  /** A file system or volume that fills the disk without a partition table, else empty. */
  readonly file_system: string;
  readonly partitions: readonly PartitionContents[];
}

export interface Disk {
  /** Kernel name such as /dev/sda: for people only. It changes between boots and never selects a disk. */
  readonly device: string;
  readonly size_gb: number;
  readonly size_bytes: number;
  readonly type: 'SSD' | 'HDD' | 'NVMe';
  readonly model: string;
  readonly serial: string;
  readonly wwn: string;
  readonly by_id: readonly string[];
  readonly removable: boolean;
  readonly contents: DiskContents;
}

export interface NetworkInterface {
  readonly interface: string;
  readonly mac: MacAddress;
  /** `10Gbps`, `1Gbps`, … or `unknown`. */
  readonly speed: string;
  readonly link: boolean;
  readonly driver: string;
}

export interface HardwareReport {
  readonly mac_address: MacAddress;
  readonly cpu: { readonly model: string; readonly cores: number; readonly threads: number };
  readonly memory: { readonly total_gb: number; readonly dimms: readonly Dimm[] };
  readonly disks: readonly Disk[];
  readonly network: readonly NetworkInterface[];
  readonly bios: { readonly vendor: string; readonly version: string; readonly serial: string };
  readonly system: {
    readonly manufacturer: string;
    readonly product: string;
    readonly uuid: string;
    readonly service_tag: string;
    readonly asset_tag: string;
    readonly firmware: 'bios' | 'uefi';
    readonly secure_boot: boolean;
  };
  readonly collected_at: string;
}

/** `sha256:` and 64 hex digits. */
export type HardwareDigest = string;

export function hardwareDigest(report: HardwareReport, sha256: Sha256): HardwareDigest {
  const bytes = new TextEncoder().encode(canonicalJson(fingerprint(report)));
  return `sha256:${hex(sha256(bytes))}`;
}

function fingerprint(report: HardwareReport): unknown {
  const disks = report.disks
    .filter((disk) => !disk.removable)
    .map(({ serial, wwn, model, size_bytes, type }) => ({ serial, wwn, model, size_bytes, type }));
  const network = report.network.map(({ mac }) => mac);
  return {
    cpu: report.cpu,
    memory: { total_gb: report.memory.total_gb, dimms: sorted(report.memory.dimms) },
    disks: sorted(disks),
    network: sorted(network),
    bios: report.bios,
    system: { ...report.system, secure_boot: undefined },
  };
}

function sorted<T>(values: readonly T[]): T[] {
  return [...values].sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
}

/** A sentence per difference between two reports of one machine, for the operator who has to approve again. */
export function hardwareDifferences(before: HardwareReport, after: HardwareReport): string[] {
  const differences: string[] = [];
  const compare = (what: string, a: unknown, b: unknown): void => {
    if (canonicalJson(a) !== canonicalJson(b)) {
      differences.push(`${what} was ${canonicalJson(a)}, is now ${canonicalJson(b)}`);
    }
  };
  const old = fingerprint(before) as Record<string, unknown>;
  const now = fingerprint(after) as Record<string, unknown>;
  for (const part of Object.keys(old)) compare(part, old[part], now[part]);
  return differences;
}
