import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../testing/region-fixtures';
import { createCatalogue, readImageManifest } from './catalogue';

const folder = temporaryFolder();
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const IMAGE = Buffer.from('compressed image');
const KERNEL = Buffer.from('kernel');
const INITRAMFS = Buffer.from('initramfs');
const MANIFEST = {
  ...{ schema_version: 1, name: 'debian-12', os_type: 'debian', os_version: '12', architecture: 'x86_64' },
  ...{ format: 'raw+gzip', file: 'debian-12.raw.gz', raw_size_bytes: 99, raw_sha256: 'a'.repeat(64) },
  ...{ compressed_size_bytes: IMAGE.length, compressed_sha256: digest(IMAGE) },
  ...{ firmware: ['bios', 'uefi'], root_partition_label: 'lpmos-root' },
};
const images = (): string => join(folder(), 'images');
const ramdisk = (): string => join(folder(), 'ramdisk');
const facts = (bytes: Buffer): object => ({ sha256: digest(bytes), size_bytes: bytes.length });

function write(dir: string, name: string, content: Buffer | object): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, name), Buffer.isBuffer(content) ? content : JSON.stringify(content));
}

function writeAll(): void {
  write(images(), 'debian-12.raw.gz', IMAGE);
  write(images(), 'manifest.json', MANIFEST);
  write(ramdisk(), 'vmlinuz', KERNEL);
  write(ramdisk(), 'initramfs.img', INITRAMFS);
  write(ramdisk(), 'manifest.json', {
    kernel_version: '6.1',
    vmlinuz: facts(KERNEL),
    initramfs: facts(INITRAMFS),
  });
}

const open = () => createCatalogue({ imagesDir: images(), ramdiskDir: ramdisk() });

describe('the catalogue', () => {
  it('offers what is there, whole and right', async () => {
    writeAll();
    const catalogue = open();
    expect(await catalogue.refresh()).toBe(true);
    expect(catalogue.images).toEqual([MANIFEST]);
    expect(catalogue.ramdisk?.kernelVersion).toBe('6.1');
    expect(catalogue.problems).toEqual([]);
    expect(await catalogue.refresh()).toBe(false);
  });

  it('says what is missing before anything is there, and offers it once it has come', async () => {
    const catalogue = open();
    await catalogue.refresh();
    expect([catalogue.images, catalogue.ramdisk]).toEqual([[], undefined]);
    expect(catalogue.problems).toHaveLength(2);
    expect(catalogue.problems.join()).toContain(images());
    writeAll();
    rmSync(join(images(), 'debian-12.raw.gz'));
    await catalogue.refresh();
    expect(catalogue.ramdisk).toBeDefined();
    expect(catalogue.problems).toEqual([expect.stringContaining('debian-12.raw.gz')]);
    write(images(), 'debian-12.raw.gz', IMAGE.subarray(0, 4));
    await catalogue.refresh();
    expect(catalogue.problems).toEqual([expect.stringContaining('has 4 bytes, its manifest says 16')]);
    write(images(), 'debian-12.raw.gz', IMAGE);
    expect(await catalogue.refresh()).toBe(true);
    expect([catalogue.images.length, catalogue.problems]).toEqual([1, []]);
  });

  it('offers no file that is not served, such as a link or one of an unusual name', async () => {
    writeAll();
    renameSync(join(images(), 'debian-12.raw.gz'), join(folder(), 'elsewhere'));
    symlinkSync(join(folder(), 'elsewhere'), join(images(), 'debian-12.raw.gz'));
    write(images(), 'debian 12.raw.gz', IMAGE);
    write(images(), 'other.manifest.json', { ...MANIFEST, file: 'debian 12.raw.gz' });
    renameSync(join(ramdisk(), 'vmlinuz'), join(ramdisk(), 'vmlinuz-6.1'));
    symlinkSync('vmlinuz-6.1', join(ramdisk(), 'vmlinuz'));
    const catalogue = open();
    await catalogue.refresh();
    expect([catalogue.images, catalogue.ramdisk]).toEqual([[], undefined]);
    expect(catalogue.problems).toEqual([
      expect.stringMatching(/debian-12\.raw\.gz is not there or cannot be served: .*no link/),
      expect.stringMatching(/debian 12\.raw\.gz is not there or cannot be served: .*letters, digits/),
      expect.stringMatching(/vmlinuz is not there or cannot be served/),
    ]);
  });

  it('withdraws what is gone', async () => {
    writeAll();
    const catalogue = open();
    await catalogue.refresh();
    rmSync(join(ramdisk(), 'vmlinuz'));
    expect(await catalogue.refresh()).toBe(true);
    expect(catalogue.ramdisk).toBeUndefined();
  });

  it('finds a file of the right size that was changed, also later', async () => {
    writeAll();
    const catalogue = open();
    await catalogue.refresh();
    const changed = Buffer.from(IMAGE).fill(0x41, 0, 1);
    write(images(), 'debian-12.raw.gz', changed);
    utimesSync(join(images(), 'debian-12.raw.gz'), 1, 1);
    await catalogue.refresh();
    expect(catalogue.images).toEqual([]);
    expect(catalogue.problems.join()).toContain('does not have the digest');
    // Looked at again, and not forgotten, though it is not read again.
    await catalogue.refresh();
    expect(catalogue.problems.join()).toContain('does not have the digest');
  });

  it.each([
    [null, /JSON object/],
    [[], /JSON object/],
    [{}, /schema_version.*name.*architecture.*digests/],
    [{ ...MANIFEST, file: '../../etc/shadow' }, /beside the manifest/],
    [{ ...MANIFEST, raw_size_bytes: -1 }, /positive/],
    [{ ...MANIFEST, raw_sha256: 'A'.repeat(64) }, /64 hex/],
    [{ ...MANIFEST, format: 'qcow2' }, /raw\+gzip/],
  ])('refuses the manifest %j, naming all that is wrong', (manifest, words) => {
    expect(() => readImageManifest(manifest)).toThrow(words);
  });

  it.each(['{', 'null', '[]', '{"vmlinuz":null}'])(
    'does not end over a ramdisk manifest %s',
    async (text) => {
      writeAll();
      write(ramdisk(), 'manifest.json', Buffer.from(text));
      const catalogue = open();
      await catalogue.refresh();
      expect(catalogue.ramdisk).toBeUndefined();
      expect(catalogue.problems).toEqual([expect.stringContaining(ramdisk())]);
      expect(catalogue.images).toHaveLength(1);
    },
  );
});
