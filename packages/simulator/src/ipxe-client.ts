/**
 * iPXE as a machine runs it: fetch the script of option 67 with its `${settings}` expanded, run it with netboot's interpreter, fetch
 * what it names, and end with a kernel to start or with the local disk. Here is the world that scripts act on: HTTP and waiting.
 * Nothing is interpreted twice: the meaning of commands is netboot's.
 */
import { runIpxeScript } from '@lpmos/netboot';
import type { IpxeAction, IpxeEnd, IpxeSettings } from '@lpmos/netboot';
import { LpmosError } from '@lpmos/core';
import { sleep } from '@lpmos/runtime';
import { DownloadError, downloadByHttp } from './http-download';

export interface IpxeClientOptions {
  readonly scriptUrl: string;
  readonly settings: IpxeSettings;
  readonly clientAddress: string;
  readonly timeScale: number;
  readonly signal: AbortSignal;
  /** Whether the first disk holds something that boots; `sanboot` fails when not. */
  readonly isDiskBootable: () => boolean;
  /** A line for the log: what was fetched, what the console shows. */
  readonly tell: (detail: string, data?: Readonly<Record<string, unknown>>) => void;
}

export type IpxeOutcome =
  | {
      readonly kind: 'kernel';
      readonly commandLine: string;
      readonly kernelBytes: number;
      /** The bodies of initrds small enough to hold site files. */
      readonly initrds: readonly Uint8Array[];
    }
  | { readonly kind: 'disk'; readonly how: string }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'failed'; readonly reason: string };

/** A site initramfs has some kilobytes; the ramdisk beside it tens of megabytes that nobody here reads. */
const KEPT_INITRD_BYTES = 1024 * 1024;
const SCRIPT_BYTES = 64 * 1024;
const SILENCE_MS = 20_000;
const USER_AGENT = 'iPXE/1.0.0+git-20190125.36a4c85-5.1';

interface Loaded {
  kernel?: { readonly commandLine: string; readonly bytes: number };
  initrds: Uint8Array[];
}

/** @throws the signal's reason when it aborts. */
export async function runIpxe(options: IpxeClientOptions): Promise<IpxeOutcome> {
  const loaded: Loaded = { initrds: [] };
  let script = await fetchScript(options, expandSettings(options.scriptUrl, options.settings));
  while (typeof script === 'string') {
    const run = runIpxeScript(script, options.settings);
    const outcome = await drive(options, run, loaded);
    if (outcome.kind !== 'chained') return outcome;
    script = outcome.script;
  }
  return { kind: 'failed', reason: script.problem };
}

/** `${name}` and `${name:type}`; only MAC addresses have a type that changes their look (hexhyp). */
export function expandSettings(text: string, settings: IpxeSettings): string {
  return text.replace(
    /\$\{([^}:]*)(?::([a-z0-9]+))?\}/g,
    (_whole, name: string, type: string | undefined) => {
      const value = settings.get(name) ?? '';
      return type === 'hexhyp' ? value.replaceAll(':', '-') : value;
    },
  );
}

type Drive = IpxeOutcome | { readonly kind: 'chained'; readonly script: string };

async function drive(
  options: IpxeClientOptions,
  run: Generator<IpxeAction, IpxeEnd, boolean>,
  loaded: Loaded,
): Promise<Drive> {
  let step = next(run, true);
  while (!('problem' in step) && step.done !== true) {
    const result = await perform(options, step.value, loaded);
    if (typeof result !== 'boolean') return result;
    step = next(run, result);
  }
  if ('problem' in step) return { kind: 'failed', reason: step.problem };
  const end = step.value;
  /** Whatever the status, firmware goes on with its next boot entry, which is the disk. */
  return end.kind === 'failed'
    ? { kind: 'failed', reason: 'a command failed and nothing caught it' }
    : { kind: 'disk', how: `${end.kind} ${end.status}` };
}

/** What is no script, or runs in a circle, stops iPXE with a message; it is no fault of ours. */
function next(
  run: Generator<IpxeAction, IpxeEnd, boolean>,
  result: boolean,
): IteratorResult<IpxeAction, IpxeEnd> | { readonly problem: string } {
  try {
    return run.next(result);
  } catch (thrown) {
    if (thrown instanceof LpmosError) return { problem: thrown.message };
    throw thrown;
  }
}

async function perform(
  options: IpxeClientOptions,
  action: IpxeAction,
  loaded: Loaded,
): Promise<boolean | Drive> {
  options.signal.throwIfAborted();
  switch (action.do) {
    case 'echo':
      if (action.text !== '') options.tell(`console: ${action.text}`);
      return true;
    case 'sleep':
      await sleep(action.seconds * 1000 * options.timeScale, options.signal);
      options.signal.throwIfAborted();
      return true;
    case 'kernel': {
      const file = await fetchFile(options, action.url, 0);
      if (file === undefined) return false;
      loaded.kernel = { commandLine: action.commandLine, bytes: file.bytes };
      return true;
    }
    case 'initrd': {
      const file = await fetchFile(options, action.url, KEPT_INITRD_BYTES);
      if (file?.body !== undefined) loaded.initrds.push(file.body);
      return file !== undefined;
    }
    case 'boot':
      return loaded.kernel === undefined ? false : startKernel(loaded.kernel, loaded.initrds);
    case 'imgfree':
      delete loaded.kernel;
      loaded.initrds = [];
      return true;
    case 'chain': {
      const script = await fetchScript(options, action.url);
      if (typeof script === 'string') return { kind: 'chained', script };
      return false;
    }
    case 'sanboot':
      return options.isDiskBootable() ? { kind: 'disk', how: 'sanboot' } : false;
    case 'dhcp':
      return true;
    case 'reboot':
      return { kind: 'reboot' };
  }
}

function startKernel(
  kernel: { commandLine: string; bytes: number },
  initrds: readonly Uint8Array[],
): IpxeOutcome {
  return { kind: 'kernel', commandLine: kernel.commandLine, kernelBytes: kernel.bytes, initrds };
}

async function fetchScript(
  options: IpxeClientOptions,
  url: string,
): Promise<string | { readonly problem: string }> {
  const file = await fetchFile(options, url, SCRIPT_BYTES);
  if (file === undefined) return { problem: `cannot fetch ${url}` };
  if (file.body === undefined) return { problem: `${url} has ${file.bytes} bytes, too many for a script` };
  return Buffer.from(file.body).toString('latin1');
}

async function fetchFile(options: IpxeClientOptions, url: string, keepBytes: number) {
  try {
    const file = await downloadByHttp({
      url,
      signal: options.signal,
      silenceMs: SILENCE_MS,
      keepBytes,
      clientAddress: options.clientAddress,
      userAgent: USER_AGENT,
    });
    options.tell(`fetched ${url}`, { bytes: file.bytes, sha256: file.sha256 });
    return file;
  } catch (thrown) {
    if (!(thrown instanceof DownloadError)) throw thrown;
    options.tell(thrown.message);
    return undefined;
  }
}
