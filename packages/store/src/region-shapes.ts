/**
 * The shapes of what a region writes of itself: what it offers, what it remembers of the boots of machines, and copies of DHCP leases.
 * Codecs are records.ts.
 */
import { BOOT_DECISIONS, BOOT_OUTCOMES, BOOT_PROTOCOLS, BOOT_STAGES } from '@lpmos/core';
import type {
  BootRecord,
  LeaseCopy,
  MachineBoots,
  OfferedBoot,
  OfferedImage,
  OfferedLink,
  RegionCapabilities,
} from '@lpmos/core';
import { macAddress } from './hardware-shape';
import {
  boolean,
  count,
  digest,
  isoInstant,
  listOf,
  matching,
  object,
  oneOf,
  optional,
  text,
  textByName,
  version1,
} from './shape';

const bootShape = object<OfferedBoot>({
  base_url: text,
  partner_url: optional(text),
  agent_endpoint: text,
  kernel_arguments: text,
  kernel_url: text,
  initrd_urls: listOf(text),
  grub: optional(object<NonNullable<OfferedBoot['grub']>>({ kernel: text, initrds: listOf(text) })),
  retry_seconds: count,
  retry_attempts: count,
});

export const capabilitiesShape = object<RegionCapabilities>({
  schema_version: version1,
  images: listOf(object<OfferedImage>({ os_type: text, os_version: text, digest, raw_size_bytes: count })),
  services: listOf(oneOf('dhcp', 'tftp', 'http', 'agent')),
  daemon_version: text,
  agent_version: optional(text),
  links: optional(
    listOf(
      object<OfferedLink>({
        name: text,
        mode: text,
        subnet: text,
        service_address: text,
        unknown_clients: text,
        relayed_only: boolean,
        pool: optional(object<NonNullable<OfferedLink['pool']>>({ first: text, last: text })),
        router: optional(text),
        dns_servers: listOf(text),
        domain: optional(text),
        ntp_servers: optional(listOf(text)),
        lease_seconds: count,
        loaders: textByName,
        http_loaders: optional(textByName),
        script_url: text,
        boot: bootShape,
      }),
    ),
  ),
  boot: optional(bootShape),
});

export const bootsShape = object<MachineBoots>({
  schema_version: version1,
  mac: macAddress,
  known: boolean,
  dropped: count,
  records: listOf(
    object<BootRecord>({
      first_at: isoInstant,
      last_at: isoInstant,
      count,
      protocol: oneOf(...BOOT_PROTOCOLS),
      stage: optional(oneOf(...BOOT_STAGES)),
      request: text,
      decision: optional(oneOf(...BOOT_DECISIONS)),
      outcome: oneOf(...BOOT_OUTCOMES),
      reason: text,
      bytes: optional(count),
      peer: text,
    }),
  ),
});

/** RFC 1035 gives a label 63 octets. */
const hostName = matching('a name of 1 to 63 characters', (value) => value.length >= 1 && value.length <= 63);

export const leaseShape = object<LeaseCopy>({
  schema_version: version1,
  mac: macAddress,
  state: oneOf('bound', 'declined'),
  since_ms: count,
  expires_at_ms: count,
  hostname: optional(hostName),
});
