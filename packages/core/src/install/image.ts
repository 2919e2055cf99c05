/** An OS image as its manifest describes it. The digest of the *raw* bytes is its name: it is what is approved, granted and read back. */

export interface ImageManifest {
  readonly schema_version: 1;
  readonly name: string;
  readonly os_type: string;
  readonly os_version: string;
  readonly architecture: 'x86_64' | 'aarch64';
  readonly format: 'raw+gzip';
  /** File name beside the manifest. */
  readonly file: string;
  readonly raw_size_bytes: number;
  readonly raw_sha256: string;
  readonly compressed_size_bytes: number;
  readonly compressed_sha256: string;
  readonly firmware: readonly ('bios' | 'uefi')[];
  /** GPT label of the partition that holds the root file system, where per-machine settings are written. */
  readonly root_partition_label: string;
}

/** What a region publishes of an image (key `capabilities`), enough to bind an approval to it. */
export interface OfferedImage {
  readonly os_type: string;
  readonly os_version: string;
  readonly digest: string;
  readonly raw_size_bytes: number;
}

export function imageDigest(image: Pick<ImageManifest, 'raw_sha256'>): string {
  return `sha256:${image.raw_sha256}`;
}

export function offerImage(image: ImageManifest): OfferedImage {
  const { os_type, os_version, raw_size_bytes } = image;
  return { os_type, os_version, digest: imageDigest(image), raw_size_bytes };
}

export function findImage<T extends { readonly os_type: string; readonly os_version: string }>(
  images: readonly T[],
  wanted: { readonly os_type: string; readonly os_version: string },
): T | undefined {
  return images.find((image) => image.os_type === wanted.os_type && image.os_version === wanted.os_version);
}
