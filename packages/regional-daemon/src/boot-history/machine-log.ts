/**
 * The boot events of one machine as a short list: what repeats is one line with a count, and the oldest lines make room. Pure but for the
 * list that it changes, which the answer path can afford: a few comparisons, no copy.
 * Two boots stay two: firmware that retries does so within a minute and a half, and only then do its requests join.
 */
import { isoTime } from '@lpmos/core';
import type { BootRecord } from '@lpmos/core';
import type { BootEvent } from '@lpmos/netboot';

/** Two boots of a dozen lines each, a chain of retries, and what an installed system asks. */
export const MOST_RECORDS = 40;
/** PXE 2.1 waits 32 s at most between two tries, iPXE and the boot scripts less than a minute. */
const SAME_BOOT_MS = 90_000;
/** Retries alternate (DISCOVER of firmware, of iPXE, a script that waits): how far back the same request is looked for. */
const LOOK_BACK = 8;
/** Ten thousand hosts that renew twice in an hour would otherwise fill the store with the same lines. */
const RENEWAL_NEWS_MS = 24 * 3_600_000;
const LONGEST_REQUEST = 120;
const LONGEST_REASON = 300;

interface Line {
  readonly event: Pick<BootEvent, 'protocol' | 'stage' | 'outcome'>;
  readonly request: string;
  readonly decision: BootRecord['decision'];
  /** What must be the same for two requests to be one line. */
  readonly sameness: string;
  readonly firstMs: number;
  lastMs: number;
  /** When it last was worth writing down. */
  toldMs: number;
  count: number;
  reason: string;
  bytes: number | undefined;
  peer: string;
}

export interface MachineLog {
  readonly lines: Line[];
  dropped: number;
}

export function emptyLog(): MachineLog {
  return { lines: [], dropped: 0 };
}

/** @returns whether the list has news worth writing down: a host that renews its lease is none, but once in a day. */
export function addEvent(log: MachineLog, event: BootEvent, nowMs: number): boolean {
  const request = withoutQuery(event.request).slice(0, LONGEST_REQUEST);
  const reason = event.reason.slice(0, LONGEST_REASON);
  const sameness = samenessOf(event, request, reason);
  const same = findSame(log.lines, sameness, event, nowMs);
  if (same !== undefined) {
    same.count += 1;
    same.lastMs = nowMs;
    same.reason = reason;
    same.bytes = event.bytes;
    same.peer = addressOf(event.peer);
    if (event.stage === 'os' && nowMs - same.toldMs < RENEWAL_NEWS_MS) return false;
    same.toldMs = nowMs;
    return true;
  }
  log.lines.push({
    event: {
      protocol: event.protocol,
      outcome: event.outcome,
      ...(event.stage === undefined ? {} : { stage: event.stage }),
    },
    request,
    decision: event.decision?.kind,
    sameness,
    firstMs: nowMs,
    lastMs: nowMs,
    toldMs: nowMs,
    count: 1,
    reason,
    bytes: event.bytes,
    peer: addressOf(event.peer),
  });
  if (log.lines.length > MOST_RECORDS) {
    log.lines.shift();
    log.dropped += 1;
  }
  return true;
}

/** An installed system renews for months: its requests join however far apart they are. */
function findSame(
  lines: readonly Line[],
  sameness: string,
  event: BootEvent,
  nowMs: number,
): Line | undefined {
  const stop = Math.max(0, lines.length - LOOK_BACK);
  for (let index = lines.length - 1; index >= stop; index -= 1) {
    const line = lines[index];
    if (line?.sameness !== sameness) continue;
    return event.stage === 'os' || nowMs - line.lastMs <= SAME_BOOT_MS ? line : undefined;
  }
  return undefined;
}

/** How long a download took, and how many others ran, differs every time and makes no other event of it. */
function samenessOf(event: BootEvent, request: string, reason: string): string {
  const steady = reason.replace(/\b\d+ (ms|downloads)\b/, '$1');
  return [event.protocol, event.stage, request, event.decision?.kind, event.outcome, steady].join('\n');
}

/** The query of a script request repeats who the machine is. */
function withoutQuery(request: string): string {
  const at = request.indexOf('?');
  return at < 0 ? request : request.slice(0, at);
}

/** `10.77.0.5:2070` and `[fd00::1]:69` without their ports, which change with every request. */
export function addressOf(peer: string): string {
  const bracketed = /^\[([^\]]+)\]/.exec(peer)?.[1];
  if (bracketed !== undefined) return bracketed;
  const at = peer.indexOf(':');
  return at >= 0 && at === peer.lastIndexOf(':') ? peer.slice(0, at) : peer;
}

export function recordsOf(log: MachineLog): BootRecord[] {
  return log.lines.map((line) => ({
    first_at: isoTime(line.firstMs),
    last_at: isoTime(line.lastMs),
    count: line.count,
    ...line.event,
    request: line.request,
    ...(line.decision === undefined ? {} : { decision: line.decision }),
    reason: line.reason,
    ...(line.bytes === undefined ? {} : { bytes: line.bytes }),
    peer: line.peer,
  }));
}
