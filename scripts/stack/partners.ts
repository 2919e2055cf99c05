/** The settings that make two daemons one region's: each with the other's address, and both with one secret, by their variables. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type DaemonSettings = Readonly<Record<string, string>>;

/** @param dir where the secret is written */
export function partnerSettings(
  dir: string,
  [first, second]: readonly [string, string],
): readonly [DaemonSettings, DaemonSettings] {
  const secret = join(dir, 'region-secret');
  writeFileSync(secret, randomBytes(32), { mode: 0o600 });
  const settingsOf = (own: string, partner: string): DaemonSettings => ({
    LPMOS_SERVICE_ADDRESS: own,
    LPMOS_PARTNER_ADDRESS: partner,
    LPMOS_REGION_SECRET_FILE: secret,
  });
  return [settingsOf(first, second), settingsOf(second, first)];
}
