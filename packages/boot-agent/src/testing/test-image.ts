/**
 * A small bootable-looking image for install tests: GPT with an ext4 root, filled from a folder, compressed; and an HTTP server for it
 * that breaks connections on demand.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const MIB = 1024 * 1024;

export interface TestImage {
  readonly raw: Buffer;
  readonly compressed: Buffer;
  readonly rawSha256: string;
  readonly compressedSha256: string;
  readonly rootOffset: number;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function compressImage(raw: Buffer): TestImage {
  const compressed = gzipSync(raw, { level: 1 });
  const digests = { rawSha256: sha256(raw), compressedSha256: sha256(compressed) };
  return { raw, compressed, ...digests, rootOffset: 2 * MIB };
}

/** 20 MiB: a small EFI system partition without a file system, then the root labelled `lpmos-root`. `hostile` makes /etc/systemd a link out of the tree. */
export function makeTestImage(options: { readonly hostile?: boolean } = {}): TestImage {
  const dir = mkdtempSync(join(tmpdir(), 'lpmos-image-'));
  try {
    const tree = join(dir, 'tree');
    mkdirSync(join(tree, 'etc'), { recursive: true });
    mkdirSync(join(tree, 'root'), { mode: 0o700 });
    writeFileSync(join(tree, 'etc/hostname'), 'image\n');
    writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1\tlocalhost\n127.0.1.1\timage\n');
    writeFileSync(join(tree, 'payload'), randomBytes(7 * MIB));
    if (options.hostile === true) symlinkSync('../../../../../../tmp', join(tree, 'etc/systemd'));
    const root = join(dir, 'root.ext4');
    writeFileSync(root, '');
    truncateSync(root, 16 * MIB);
    execFileSync('mkfs.ext4', ['-q', '-d', tree, root], { stdio: 'pipe' });
    const disk = join(dir, 'disk');
    writeFileSync(disk, '');
    truncateSync(disk, 20 * MIB);
    const table =
      'label: gpt\nstart=1MiB, size=1MiB, type=uefi, name=boot\nstart=2MiB, size=16MiB, name=lpmos-root\n';
    execFileSync('sfdisk', ['-q', disk], { input: table, stdio: ['pipe', 'pipe', 'pipe'] });
    const raw = readFileSync(disk);
    readFileSync(root).copy(raw, 2 * MIB);
    return compressImage(raw);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export interface ImageServer {
  readonly url: string;
  /** Ranges asked for, `-` where none was. */
  readonly ranges: string[];
  readonly behaviour: {
    /** Cut the connection after so many bytes of an answer; each entry once. */
    cutAfter: number[];
    /** Send so much and then nothing more, once. */
    stallAfter?: number | undefined;
    /** Answers with this status, once each. */
    failWith: number[];
    etag: string | undefined;
    body: Buffer;
    ignoreRange: boolean;
  };
  stop(): Promise<void>;
}

export async function serveImage(body: Buffer): Promise<ImageServer> {
  const ranges: string[] = [];
  const behaviour: ImageServer['behaviour'] = {
    cutAfter: [],
    failWith: [],
    etag: `"sha256-${sha256(body)}"`,
    body,
    ignoreRange: false,
  };
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? '-');
    const { etag, body: bytes } = behaviour;
    const failure = behaviour.failWith.shift();
    if (failure !== undefined) return void response.writeHead(failure).end();
    if (etag !== undefined) response.setHeader('etag', etag);
    const from = behaviour.ignoreRange ? undefined : /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    const start = Number(from ?? 0);
    const part = bytes.subarray(start);
    response.setHeader('content-length', part.length);
    if (from !== undefined)
      response.setHeader('content-range', `bytes ${start}-${bytes.length - 1}/${bytes.length}`);
    response.writeHead(from === undefined ? 200 : 206);
    const cut = behaviour.cutAfter.shift();
    const stall = behaviour.stallAfter;
    behaviour.stallAfter = undefined;
    if (cut !== undefined) return void response.write(part.subarray(0, cut), () => response.destroy());
    if (stall !== undefined) return void response.write(part.subarray(0, stall));
    response.end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { url: `http://127.0.0.1:${port}/images/test.img.gz`, ranges, behaviour, stop };
}
