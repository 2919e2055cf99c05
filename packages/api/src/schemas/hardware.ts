/** The hardware report and the approval as an answer shows them: the core's documents, which are the contract's. */
import { z } from 'zod';

const diskContents = z.object({
  partition_table: z.enum(['gpt', 'mbr', 'none', 'unreadable']),
  file_system: z.string(),
  partitions: z.array(
    z.object({
      number: z.number().int(),
      size_bytes: z.number(),
      type: z.string(),
      label: z.string(),
      file_system: z.string(),
    }),
  ),
});

const disk = z.object({
  device: z.string().describe('For people only; it changes between boots.'),
  size_gb: z.number(),
  size_bytes: z.number(),
  type: z.enum(['SSD', 'HDD', 'NVMe']),
  model: z.string(),
  serial: z.string(),
  wwn: z.string(),
  by_id: z.array(z.string()),
  removable: z.boolean(),
  contents: diskContents.describe('What stands on it now and an installation destroys.'),
});

export const hardwareSchema = z.object({
  mac_address: z.string(),
  cpu: z.object({ model: z.string(), cores: z.number(), threads: z.number() }),
  memory: z.object({
    total_gb: z.number(),
    dimms: z.array(
      z.object({ slot: z.string(), size_gb: z.number(), type: z.string(), speed_mhz: z.number() }),
    ),
  }),
  disks: z.array(disk),
  network: z.array(
    z.object({
      interface: z.string(),
      mac: z.string(),
      speed: z.string(),
      link: z.boolean(),
      driver: z.string(),
    }),
  ),
  bios: z.object({ vendor: z.string(), version: z.string(), serial: z.string() }),
  system: z.object({
    manufacturer: z.string(),
    product: z.string(),
    uuid: z.string(),
    service_tag: z.string(),
    asset_tag: z.string(),
    firmware: z.enum(['bios', 'uefi']),
    secure_boot: z.boolean(),
  }),
  collected_at: z.string(),
});

export const approvalSchema = z.object({
  status: z.enum(['approved', 'rejected', 'pending']),
  approved_by: z.string().optional(),
  approved_at: z.string().optional(),
  rejected_by: z.string().optional(),
  rejected_at: z.string().optional(),
  notes: z.string().optional(),
  reason: z.string().optional(),
  hardware_digest: z.string().optional(),
  disk: z
    .object({ serial: z.string(), wwn: z.string(), model: z.string(), size_bytes: z.number() })
    .optional(),
  image_digest: z.string().optional(),
  grant_expires_at: z.string().optional(),
});
