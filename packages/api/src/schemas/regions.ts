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

export const regionSchema = z.object({
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
});

export const regionListSchema = z.object({ regions: z.array(regionSchema) });

export const livenessSchema = z.object({ status: z.literal('ok'), version: z.string() });

export const readinessSchema = z.object({
  status: z.enum(['ready', 'not_ready']),
  version: z.string(),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
});
