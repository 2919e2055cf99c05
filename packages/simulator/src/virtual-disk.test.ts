import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { sign } from 'jsonwebtoken';
import { identityOf, parseMacAddress } from '@lpmos/core';
import type { TaskId } from '@lpmos/core';
import { createMemoryStorage, openFileStorage } from './disk-storage';
import { generateExtraDisk, generateHardware } from './hardware-generator';
import { isVerifiedGrant, verifyGrant } from './verify-grant';
import type { VerifiedGrant } from './verify-grant';
import { createVirtualDisk, DiskViolation } from './virtual-disk';

const MIB = 1024 * 1024;
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const [DISK] = generateHardware({
  seed: 1,
  mac: parseMacAddress('02:00:00:00:00:01'),
  firmware: 'bios',
  diskBytes: 4 * MIB,
}).disks;
if (DISK === undefined) throw new Error('no disk');
const TASK = '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId;

function grant(attempt: number, over: Record<string, unknown> = {}): VerifiedGrant {
  const claims = {
    iss: 'lpmos-control-plane',
    aud: 'lpmos-boot-agent',
    sub: TASK,
    hardware_digest: 'h',
    disk: identityOf(DISK as NonNullable<typeof DISK>),
    image_digest: 'i',
    write_budget: 2,
    iat: 1,
    exp: 100,
    ...over,
  };
  const result = verifyGrant({
    jws: sign(claims, keys.privateKey, { algorithm: 'ES256' }),
    publicKey: keys.publicKey,
    situation: {
      taskId: TASK,
      hardwareDigest: 'h',
      imageDigest: 'i',
      attempt,
      disks: [DISK as NonNullable<typeof DISK>],
      nowSeconds: 50,
    },
  });
  if ('refusal' in result) throw new Error(result.detail);
  return result;
}

const disk = () => createVirtualDisk({ identity: DISK, storage: createMemoryStorage(4 * MIB) });
const SYSTEM = {
  taskId: TASK,
  imageSha256: '',
  imageBytes: 3,
  rootPartitionLabel: 'root',
  hostname: 'h',
  sshAuthorizedKeys: [],
  networkConfig: 'dhcp',
};

it('takes only what verifyGrant made, however alike', async () => {
  const made = disk();
  expect(isVerifiedGrant(grant(1))).toBe(true);
  expect(() => made.beginWrite({ ...grant(1) })).toThrow(DiskViolation);
  expect(made.violations).toEqual([expect.stringContaining('without a verified grant')]);
  expect(made.history()).toEqual([]);
  expect(await made.sha256()).toBe(
    createHash('sha256')
      .update(Buffer.alloc(4 * MIB))
      .digest('hex'),
  );
});

it('keeps the budget, one start per attempt, and refuses a task that has succeeded', () => {
  const made = disk();
  made.beginWrite(grant(1)).abandon();
  expect(() => made.beginWrite(grant(1))).toThrow('attempt 1');
  made.beginWrite(grant(2)).finish(SYSTEM);
  expect(() => made.beginWrite(grant(2))).toThrow('budget is 2');
  const settled = disk();
  settled.settle(TASK);
  expect(() => settled.beginWrite(grant(1))).toThrow('succeeded');
});

it('refuses a grant for another disk', () => {
  const other = createVirtualDisk({
    identity: generateExtraDisk(1, 1, MIB),
    storage: createMemoryStorage(MIB),
  });
  expect(() => other.beginWrite(grant(1))).toThrow('names disk');
});

it('a start ends what booted, and a writer is worthless once it ended', async () => {
  const made = disk();
  const writer = made.beginWrite(grant(1));
  await writer.write(0, Uint8Array.of(1, 2, 3));
  writer.finish(SYSTEM);
  expect(made.contents()).toMatchObject({ partition_table: 'gpt', partitions: [{ label: 'root' }] });
  await expect(writer.write(0, Uint8Array.of(9))).rejects.toThrow('after it was finished');
  const second = made.beginWrite(grant(2));
  expect(made.system()).toBeUndefined();
  expect(made.contents().partition_table).toBe('unreadable');
  await expect(second.write(4 * MIB, Uint8Array.of(1))).rejects.toThrow('the disk has');
});

it('memory and file read back the same as an array, and a file stays sparse', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-disk-'));
  const write = fc.record({ offset: fc.nat(MIB - 1), bytes: fc.uint8Array({ maxLength: 5000 }) });
  try {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 6 }), async (writes) => {
        const model = new Uint8Array(MIB);
        const file = await openFileStorage(join(folder, `disk${(run += 1)}`), MIB);
        const memory = createMemoryStorage(MIB);
        for (const { offset, bytes } of writes) {
          const fitting = bytes.subarray(0, MIB - offset);
          model.set(fitting, offset);
          await file.write(offset, fitting);
          await memory.write(offset, fitting);
        }
        expect(Buffer.compare(await memory.read(0, MIB), model)).toBe(0);
        expect(Buffer.compare(await file.read(0, MIB), model)).toBe(0);
        await file.close();
      }),
      { numRuns: 30 },
    );
    const huge = await openFileStorage(join(folder, 'huge'), 1_000_000_000_000);
    await huge.write(5_000_000_000, Uint8Array.of(1));
    await huge.close();
    expect(statSync(join(folder, 'huge')).blocks).toBeLessThan(100);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
