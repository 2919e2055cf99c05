/** A region as the hub registers it and as its daemon presents itself. Documents carry the contract's names. */
import type { OfferedImage } from './install/image';
import type { RegionId, RegionTag } from './ids';

/** Key `/lpmos/regions/{id}/metadata`, written by the hub. */
export interface RegionMetadata {
  readonly schema_version: 1;
  readonly id: RegionId;
  readonly tag: RegionTag;
  readonly display_name: string;
  readonly created_at: string;
  readonly created_by: string;
}

/** Key `/lpmos/regions/{id}/client/capabilities`, written by the region's leading daemon. */
export interface RegionCapabilities {
  readonly schema_version: 1;
  readonly images: readonly OfferedImage[];
  readonly services: readonly ('dhcp' | 'tftp' | 'http' | 'agent')[];
  readonly daemon_version: string;
  readonly agent_version?: string;
}

/** A region as readers see it. Online means the 30 s heartbeat is there. */
export interface RegionView {
  readonly metadata: RegionMetadata;
  readonly online: boolean;
  readonly last_heartbeat?: string;
  readonly capabilities?: RegionCapabilities;
}

/** TTL of the heartbeat key, in seconds (seed 002 section 3). */
export const HEARTBEAT_TTL_SECONDS = 30;
