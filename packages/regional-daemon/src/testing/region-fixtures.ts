/** A region for tests of its parts: secrets, a clock, tasks in a cache of a few lines. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hardwareDigest } from '@lpmos/core';
import type { Sha256, StoredHardware, TaskCache, TaskRecord } from '@lpmos/core';
import { EXAMPLE_NOW_MS, EXAMPLE_REPORT } from '@lpmos/core/testing';
import { createManualClock } from '@lpmos/runtime';
import { regionSecrets } from '../boot/secrets';

export const SECRETS = regionSecrets(new Uint8Array(32).fill(7));
export const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();
export const HARDWARE: StoredHardware = {
  schema_version: 1,
  report: EXAMPLE_REPORT,
  digest: hardwareDigest(EXAMPLE_REPORT, sha256),
};
export const testClock = () => createManualClock(EXAMPLE_NOW_MS);

/** The newest task is the machine's. */
export function cacheOf(tasks: readonly TaskRecord[], ready = true): TaskCache {
  return {
    ready,
    revision: '1',
    silentForMs: 0,
    get: (id) => tasks.find((task) => task.metadata.id === id),
    ofMachine: (mac) => tasks.findLast((task) => task.metadata.target_mac === mac),
    query: () => ({ tasks, total: tasks.length }),
    ids: () => tasks.map((task) => task.metadata.id),
    onChange: () => () => undefined,
    waitFor: () => Promise.resolve(),
  };
}

/** A folder for the test, gone after it. */
export function temporaryFolder(): () => string {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lpmos-region-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}

/** The least that a program of UEFI has: DOS header, PE signature, machine type, subsystem. */
export function efiProgram(machine: number, subsystem = 10): Uint8Array {
  const bytes = Buffer.alloc(256);
  bytes.write('MZ');
  bytes.writeUInt32LE(64, 0x3c);
  bytes.write('PE', 64);
  bytes.writeUInt16LE(machine, 68);
  bytes.writeUInt16LE(subsystem, 64 + 24 + 68);
  return bytes;
}
