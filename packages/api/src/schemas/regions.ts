/** What is said over regions, and over the service itself. */
import { z } from 'zod';
import { regionIdField, sentenceField } from '../fields';

export const regionParams = z.strictObject({ region_id: regionIdField });

export const registerRegionBody = z.strictObject({
  region_id: regionIdField,
  display_name: sentenceField(100).min(1, 'must have at least one character').optional(),
});

const imageSchema = z.object({
  os_type: z.string(),
  os_version: z.string(),
  digest: z.string(),
  raw_size_bytes: z.number(),
});

export const bootSchema = z.object({
  base_url: z.string(),
  partner_url: z.string().optional(),
  agent_endpoint: z.string(),
  kernel_arguments: z.string(),
  kernel_url: z.string(),
  initrd_urls: z.array(z.string()),
  grub: z
    .object({ kernel: z.string(), initrds: z.array(z.string()) })
    .optional()
    .describe('The same files as GRUB names them; absent without a chain of shim and GRUB.'),
  retry_seconds: z.number(),
  retry_attempts: z.number(),
});

export const linkSchema = z.object({
  name: z.string(),
  mode: z.string(),
  subnet: z.string(),
  service_address: z.string(),
  unknown_clients: z.string(),
  relayed_only: z.boolean(),
  pool: z.object({ first: z.string(), last: z.string() }).optional(),
  router: z.string().optional(),
  dns_servers: z.array(z.string()),
  domain: z.string().optional(),
  ntp_servers: z.array(z.string()).optional(),
  lease_seconds: z.number(),
  loaders: z.record(z.string(), z.string()).describe('TFTP names by what the firmware can run.'),
  http_loaders: z.record(z.string(), z.string()).optional(),
  script_url: z.string(),
  boot: bootSchema,
});

const regionFields = {
  region_id: z.string(),
  display_name: z.string(),
  tag: z.string().describe('The first 32 bits of the id of each of its tasks.'),
  created_at: z.string(),
  created_by: z.string(),
  online: z.boolean(),
  last_heartbeat: z.string().optional(),
  images: z.array(imageSchema),
  services: z.array(z.string()),
  daemon_version: z.string().optional(),
};

/** What the daemon publishes of links and scripts is by far the largest part of a region, and is asked for one region at a time. */
export const listedRegionSchema = z.object(regionFields);

export const regionSchema = z.object({
  ...regionFields,
  links: z.array(linkSchema).optional().describe('Where the region serves; absent until its daemon said so.'),
  boot: bootSchema.optional().describe('What its boot scripts are made of.'),
});

export const regionListSchema = z.object({ regions: z.array(listedRegionSchema) });

export const livenessSchema = z.object({ status: z.literal('ok'), version: z.string() });

export const readinessSchema = z.object({
  status: z.enum(['ready', 'not_ready']),
  version: z.string(),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
});
