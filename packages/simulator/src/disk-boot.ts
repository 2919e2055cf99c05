/**
 * Booting from the disk: only what really stands there boots. The installed bytes are hashed again, then the host of the image lives
 * for one act: its check-in (HTTPS POST with the token of the settings), said until it is heard, once per installation.
 */
import { request } from 'node:https';
import { backoffDelayMs, sleep } from '@lpmos/runtime';
import type { BootEnd, BootOptions } from './boot';
import type { InstalledSystem } from './virtual-disk';

type CheckInDocument = NonNullable<InstalledSystem['checkIn']>;

const CHECK_IN_TRIES = 8;
const BACKOFF = { firstMs: 1000, ceilingMs: 15_000 };
const REQUEST_MS = 10_000;
/** Installed systems that have been heard; a reboot of the same one is no news. */
const checkedIn = new WeakSet<InstalledSystem>();

/** @throws the signal's reason when power goes. */
export async function bootDisk(options: BootOptions): Promise<BootEnd> {
  const { machine, log, at, signal } = options;
  const system = machine.disk.system();
  if (system === undefined) {
    log({ stage: 'disk', detail: 'no bootable device' });
    return { kind: 'no-bootable-device', detail: 'the disk holds no system' };
  }
  const found = await machine.disk.sha256(system.imageBytes);
  signal.throwIfAborted();
  if (found !== system.imageSha256) {
    log({ stage: 'disk', detail: `the boot loader finds damage: ${found} instead of ${system.imageSha256}` });
    return { kind: 'no-bootable-device', detail: 'the disk does not hold the image that was installed' };
  }
  log({ stage: 'disk', detail: `boots ${system.hostname || 'host'} of task ${system.taskId}` });
  await at('disk-boot');
  if (checkedIn.has(system)) return { kind: 'host-up', detail: 'runs from its disk, checked in before' };
  if (system.checkIn === undefined)
    return { kind: 'disk-boot', detail: 'runs from its disk, no check-in asked for' };
  const problem = await checkIn(options, system, system.checkIn);
  if (problem !== undefined)
    return { kind: 'disk-boot', detail: `runs from its disk, check-in failed: ${problem}` };
  checkedIn.add(system);
  await at('host-up');
  return { kind: 'host-up', detail: 'runs from its disk and has checked in' };
}

/** The problem of the last try, or undefined once the region has heard it. */
async function checkIn(
  options: BootOptions,
  system: InstalledSystem,
  document: CheckInDocument,
): Promise<string | undefined> {
  const { log, at, signal } = options;
  let problem = '';
  for (let tries = 0; tries < CHECK_IN_TRIES; tries += 1) {
    await at('check-in-sent');
    // In turns, so that a region is told whichever of its daemons is up.
    const { url, partnerUrl = url } = document;
    const result = await post(options, system, { ...document, url: tries % 2 === 0 ? url : partnerUrl });
    signal.throwIfAborted();
    log({ stage: 'check-in', detail: result.problem ?? 'heard' });
    if (result.problem === undefined) return undefined;
    problem = result.problem;
    if (result.final) break;
    await sleep(backoffDelayMs(BACKOFF, tries, options.random.next) * options.timeScale, signal);
    signal.throwIfAborted();
  }
  return problem;
}

interface PostResult {
  readonly problem?: string;
  /** Saying it again cannot help. */
  readonly final?: boolean;
}

function post(options: BootOptions, system: InstalledSystem, document: CheckInDocument): Promise<PostResult> {
  const body = JSON.stringify({
    mac_address: document.macAddress,
    task_id: system.taskId,
    status: 'host_up',
    progress: 100,
    message: `${system.hostname || document.macAddress} runs from its disk`,
  });
  return new Promise((resolve) => {
    const failed = (problem: string): void => resolve({ problem });
    if (!URL.canParse(document.url) || !document.url.startsWith('https://')) {
      resolve({ problem: `check-in URL ${document.url} is no https URL`, final: true });
      return;
    }
    const posting = request(document.url, {
      method: 'POST',
      agent: false,
      ca: document.ca,
      servername: document.tlsServerName,
      localAddress: options.network.clientAddress,
      signal: options.signal,
      timeout: REQUEST_MS,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        authorization: `Bearer ${document.token}`,
      },
    });
    posting.on('timeout', () => posting.destroy(new Error(`no answer within ${REQUEST_MS} ms`)));
    posting.on('error', (error) => failed(error.message));
    posting.on('response', (response) => {
      response.resume();
      response.on('error', (error) => failed(error.message));
      response.on('end', () => resolve(resultOf(response.statusCode ?? 0)));
    });
    posting.end(body);
  });
}

function resultOf(status: number): PostResult {
  if (status >= 200 && status < 300) return {};
  /** 4xx but for 408, 409 and 429: the region understood and will not change its mind. */
  const final = status >= 400 && status < 500 && ![408, 409, 429].includes(status);
  return { problem: `the region answered ${status}`, final };
}
