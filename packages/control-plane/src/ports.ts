/**
 * What the control plane needs beside the task store of core: the regions, what they remember of boots, and where the store's history stands.
 * control-plane.ts binds them to the store package; use cases see only these.
 */
import type {
  MacAddress,
  MachineBoots,
  RegionId,
  RegionMetadata,
  RegionView,
  WriteOutcome,
} from '@lpmos/core';

export interface RegionDirectory {
  /** Refused: `already_exists` for the same id, or for another region whose tag it would share. */
  registerRegion(metadata: RegionMetadata): Promise<WriteOutcome<RegionMetadata>>;
  /** Linearizable, as `listRegions`. Throws LpmosError `unavailable`/`deadline_exceeded`/`corrupt`. */
  readRegion(id: RegionId): Promise<RegionView | undefined>;
  listRegions(): Promise<readonly RegionView[]>;
}

export interface BootHistories {
  /** What each of the regions remembers of a machine's boots, if anything. Throws as above. */
  readOf(mac: MacAddress, regions: readonly RegionId[]): Promise<ReadonlyMap<RegionId, MachineBoots>>;
}

export interface StoreHead {
  /**
   * A revision, decimal, at or after every write that was acknowledged to anybody before the call (a linearizable read).
   * Throws LpmosError `unavailable`/`deadline_exceeded`.
   */
  currentRevision(): Promise<string>;
  /**
   * Writes a mark that says nothing into the range that the task cache watches, and returns its revision: once the cache has
   * applied the mark, it has applied everything before it. Throws as above.
   */
  putMark(): Promise<string>;
}
