/**
 * Changes of tasks as server-sent events. The cache's hints are taken in batches, in the order of their revisions, and each is
 * answered with the task as it reads now: level, not edge, so nothing is lost when hints fall together.
 * `id` is a store revision and never falls within a stream; Last-Event-ID replays every task that changed since, on any replica.
 * Bounded: streams, what is buffered for a slow reader, what is replayed. Who cannot keep up is told why and cut.
 */
import { LpmosError } from '@lpmos/core';
import type { Clock, TaskCache, TaskHint, TaskId, TaskRecord } from '@lpmos/core';
import { writeEvent, writeHeartbeat } from '@lpmos/api';
import type { Logger, Metrics } from '@lpmos/runtime';
import type { ServerResponse } from 'node:http';
import type { Freshness } from '../freshness';
import { taskEventView } from './task-event';

export interface EventFeed {
  /** Takes the response over. @throws LpmosError `rate_limited`, `unavailable`. */
  open(subscription: Subscription): Promise<void>;
  /** Ends every stream, saying why, and takes no more. */
  close(reason: string): void;
}

export interface Subscription {
  readonly response: ServerResponse;
  readonly wants: (id: TaskId) => boolean;
  readonly lastEventId: string | undefined;
  /** Seconds since the epoch: a stream does not outlive its token. */
  readonly expiresAt: number;
}

export interface EventFeedOptions {
  readonly cache: TaskCache;
  readonly freshness: Freshness;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly heartbeatMs?: number;
  readonly maxStreams?: number;
  readonly maxBufferedBytes?: number;
  readonly maxReplay?: number;
}

/** Proxies cut idle connections after 30 to 60 s. */
const HEARTBEAT_MS = 15_000;
const MAX_STREAMS = 500;
/** About 2000 events: a reader that is so far behind should list again. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
const MAX_REPLAY = 1_000;
/** A reader that was told the end and still does not read is cut off. */
const LINGER_MS = 5_000;

interface Stream extends Subscription {
  lastId: bigint;
}

interface Feed extends Required<Omit<EventFeedOptions, 'metrics'>> {
  readonly streams: Set<Stream>;
  readonly dropped: ReturnType<Metrics['counter']>;
  pending: Map<TaskId, TaskHint> | undefined;
  closed: boolean;
}

export function createEventFeed(options: EventFeedOptions): EventFeed {
  const { metrics } = options;
  const feed: Feed = {
    heartbeatMs: HEARTBEAT_MS,
    maxStreams: MAX_STREAMS,
    maxBufferedBytes: MAX_BUFFERED_BYTES,
    maxReplay: MAX_REPLAY,
    ...options,
    streams: new Set(),
    dropped: metrics.counter('lpmos_control_plane_event_streams_ended_total', 'Streams ended by us.', [
      'reason',
    ]),
    pending: undefined,
    closed: false,
  };
  const open = metrics.gauge('lpmos_control_plane_event_streams', 'Open event streams.');
  const unsubscribe = feed.cache.onChange((hint) => collect(feed, hint));
  const heartbeat = setInterval(() => beat(feed), feed.heartbeatMs);
  heartbeat.unref();
  return {
    async open(subscription) {
      if (feed.closed || feed.streams.size >= feed.maxStreams) throw full(feed);
      await feed.freshness.beforeRead(subscription.lastEventId);
      if (feed.closed || feed.streams.size >= feed.maxStreams) throw full(feed);
      begin(feed, subscription);
      open.set(feed.streams.size);
      subscription.response.once('close', () => open.set(feed.streams.size));
    },
    close(reason) {
      feed.closed = true;
      clearInterval(heartbeat);
      unsubscribe();
      for (const stream of [...feed.streams]) finish(feed, stream, reason);
    },
  };
}

/** From here to the `sync` event in one turn of the loop: no change can slip between replay and live. */
function begin(feed: Feed, subscription: Subscription): void {
  const { response, lastEventId } = subscription;
  const stream: Stream = { ...subscription, lastId: BigInt(lastEventId ?? feed.cache.revision) };
  response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
  response.once('close', () => feed.streams.delete(stream));
  feed.streams.add(stream);
  const now = BigInt(feed.cache.revision);
  // Beyond the newest revision there is only another history: an etcd that was restored from a snapshot.
  const isForeign = stream.lastId > now;
  if (isForeign) stream.lastId = 0n;
  const missed = lastEventId === undefined || isForeign ? [] : changedSince(feed, stream);
  const reset = isForeign || missed.length > feed.maxReplay;
  if (!reset) for (const task of missed) sendTask(feed, stream, { task, revision: task.version });
  send(feed, stream, { event: 'sync', data: { reset }, revision: feed.cache.revision });
}

/** Progress changes no version, so whatever is being installed is told again. */
function changedSince(feed: Feed, stream: Stream): TaskRecord[] {
  const changed: TaskRecord[] = [];
  for (const id of feed.cache.ids()) {
    const task = stream.wants(id) ? feed.cache.get(id) : undefined;
    if (task !== undefined && (BigInt(task.version) > stream.lastId || task.status === 'installing'))
      changed.push(task);
  }
  return changed.sort((a, b) => (BigInt(a.version) < BigInt(b.version) ? -1 : 1));
}

/** A list that the cache compares itself with gives many hints in one go and in no order; a batch puts them in order. */
function collect(feed: Feed, hint: TaskHint): void {
  if (feed.pending === undefined) {
    feed.pending = new Map();
    queueMicrotask(() => flush(feed));
  }
  feed.pending.set(hint.id, hint);
}

function flush(feed: Feed): void {
  const hints = [...(feed.pending?.values() ?? [])];
  feed.pending = undefined;
  hints.sort((a, b) => (BigInt(a.revision) < BigInt(b.revision) ? -1 : 1));
  for (const { id, revision } of hints) {
    const task = feed.cache.get(id);
    for (const stream of [...feed.streams]) {
      if (!stream.wants(id)) continue;
      if (task === undefined) send(feed, stream, { event: 'task_removed', data: { task_id: id }, revision });
      else sendTask(feed, stream, { task, revision });
    }
  }
}

function sendTask(
  feed: Feed,
  stream: Stream,
  change: { readonly task: TaskRecord; readonly revision: string },
): void {
  const { task, revision } = change;
  send(feed, stream, { event: 'task', data: taskEventView(task, revision), revision });
}

interface Message {
  readonly event: string;
  readonly data: unknown;
  readonly revision: string;
}

function send(feed: Feed, stream: Stream, { event, data, revision }: Message): void {
  if (!feed.streams.has(stream)) return;
  const at = BigInt(revision);
  if (at > stream.lastId) stream.lastId = at;
  write(feed, stream, writeEvent({ event, data: JSON.stringify(data), id: String(stream.lastId) }));
}

function write(feed: Feed, stream: Stream, text: string): void {
  stream.response.write(text);
  if (stream.response.writableLength > feed.maxBufferedBytes) {
    finish(feed, stream, 'the reader is too slow; list the tasks and resume');
  }
}

function beat(feed: Feed): void {
  const nowSeconds = feed.clock.nowMs() / 1000;
  for (const stream of [...feed.streams]) {
    if (nowSeconds >= stream.expiresAt) finish(feed, stream, 'the token expired');
    else write(feed, stream, writeHeartbeat());
  }
}

function finish(feed: Feed, stream: Stream, reason: string): void {
  if (!feed.streams.delete(stream)) return;
  feed.dropped.inc({ reason });
  feed.logger.info({ reason, buffered_bytes: stream.response.writableLength }, 'event stream ended');
  stream.response.end(writeEvent({ event: 'end', data: JSON.stringify({ reason }) }));
  const cut = setTimeout(() => stream.response.destroy(), LINGER_MS);
  stream.response.once('close', () => clearTimeout(cut));
}

function full(feed: Feed): LpmosError {
  const message = feed.closed
    ? 'This replica is shutting down; connect again'
    : `This replica serves ${feed.maxStreams} event streams already; try again or another one`;
  return new LpmosError({ code: feed.closed ? 'unavailable' : 'rate_limited', message });
}
