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

/** A link as its region publishes it, so that a decision can be explained away from the region. Holds nothing secret. */
export interface OfferedLink {
  readonly name: string;
  /** `server`, `proxy`, `observe` or `external`. */
  readonly mode: string;
  readonly subnet: string;
  /** Where boot services answer on this link. */
  readonly service_address: string;
  /** `lease` or `ignore`: what a machine gets that no task names. */
  readonly unknown_clients: string;
  /** Reached through relays alone: our address may be in another network. */
  readonly relayed_only: boolean;
  readonly pool?: { readonly first: string; readonly last: string };
  readonly router?: string;
  readonly dns_servers: readonly string[];
  readonly domain?: string;
  readonly ntp_servers?: readonly string[];
  readonly lease_seconds: number;
  /** TFTP names, by what the firmware can run. */
  readonly loaders: Readonly<Record<string, string>>;
  /** URLs for UEFI HTTP boot. */
  readonly http_loaders?: Readonly<Record<string, string>>;
  /** What iPXE loads, with its variables. */
  readonly script_url: string;
  /** Of the scripts that machines of this link get. */
  readonly boot: OfferedBoot;
}

/** What boot scripts are made of, beside the machine and its task. */
export interface OfferedBoot {
  /** `http://10.77.0.1`, without a slash at the end. */
  readonly base_url: string;
  /** The same on the region's other daemon; absent where there is none. */
  readonly partner_url?: string;
  /** Where agents dial: `10.77.0.1:8082`, or several of them with commas between. */
  readonly agent_endpoint: string;
  readonly kernel_arguments: string;
  readonly kernel_url: string;
  readonly initrd_urls: readonly string[];
  /** The same files as GRUB names them; absent where the region has no chain of shim and GRUB. */
  readonly grub?: { readonly kernel: string; readonly initrds: readonly string[] };
  /** How often a machine asks again that cannot load its files, and after how many failures it boots its disk. */
  readonly retry_seconds: number;
  readonly retry_attempts: number;
}

/** Key `/lpmos/regions/{id}/client/capabilities`, written by the region's leading daemon. */
export interface RegionCapabilities {
  readonly schema_version: 1;
  readonly images: readonly OfferedImage[];
  readonly services: readonly ('dhcp' | 'tftp' | 'http' | 'agent')[];
  readonly daemon_version: string;
  readonly agent_version?: string;
  /** Absent from daemons of before they published it. */
  readonly links?: readonly OfferedLink[];
  /** Of the scripts of machines on no link. */
  readonly boot?: OfferedBoot;
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
