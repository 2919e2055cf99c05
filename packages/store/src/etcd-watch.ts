/**
 * One watch on etcd's raw stream, until it ends; never etcd3's Watcher, which moves its start revision on "connected" and so
 * loses the backlog (measured: 18.6 % of events on a flapping link). Reopening is range-watch.ts' business.
 * Fragments are gathered, so that a batch is whole revisions. A silent stream is probed on the stream itself: an answer proves
 * that link, and its revision is ignored, because requested progress can overtake events before 3.4.25 (etcd issue 15220).
 */
import type { Etcd3, IEvent, IWatchResponse } from 'etcd3';
import type { KvEvent, WatchEnd, WatchRequest } from './kv';
import { entryOf, rangeKeys } from './etcd-values';

export interface WatchTiming {
  /** Silence after which the stream is probed. */
  readonly probeMs: number;
  /** Further silence after which it counts as dead; also the time for opening it. */
  readonly deadMs: number;
}

/** Runs one watch on a client of its own and closes both. Resolves with the reason; never rejects. */
export async function watchOnStream(
  client: Etcd3,
  request: WatchRequest,
  timing: WatchTiming,
): Promise<WatchEnd> {
  try {
    const stream = await client.watchClient.watch();
    return await follow(stream, request, timing);
  } catch (cause) {
    return request.signal.aborted ? { kind: 'closed' } : { kind: 'error', cause };
  } finally {
    client.close();
  }
}

type WatchStream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

/** The probe (`progress_request`) is in etcd's protocol and in the package's proto file, but not in its types. */
interface ProbeRequest {
  readonly progress_request: Record<string, never>;
}

/** watch_id of answers that belong to the stream and to no watch, such as those to a probe. */
const NO_WATCH = '-1';

function follow(stream: WatchStream, request: WatchRequest, timing: WatchTiming): Promise<WatchEnd> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    const end = (reason: WatchEnd): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      request.signal.removeEventListener('abort', abort);
      stream.cancel();
      resolve(reason);
    };
    const fail = (cause: unknown): void => end({ kind: 'error', cause });
    const abort = (): void => end({ kind: 'closed' });
    const declareDead = (): void => fail(new Error('the watch stream is silent: no answer to a probe'));
    const probe = (): void => {
      stream.write({ progress_request: {} } satisfies ProbeRequest);
      timer = setTimeout(declareDead, timing.deadMs);
    };
    const receive = receiver(request, end);
    stream.on('data', (response) => {
      if (over) return;
      clearTimeout(timer);
      timer = setTimeout(probe, timing.probeMs);
      try {
        receive(response);
      } catch (cause) {
        fail(cause);
      }
    });
    stream.on('error', fail);
    stream.on('end', () => fail(new Error('the watch stream ended')));
    if (request.signal.aborted) return abort();
    request.signal.addEventListener('abort', abort);
    timer = setTimeout(declareDead, timing.probeMs + timing.deadMs);
    stream.write({
      create_request: {
        ...rangeKeys(request.range),
        start_revision: request.startRevision,
        progress_notify: true,
        fragment: true,
      },
    });
  });
}

/** Turns the responses of one watch into batches, progress and an end. */
function receiver(
  request: WatchRequest,
  end: (reason: WatchEnd) => void,
): (response: IWatchResponse) => void {
  let gathered: KvEvent[] = [];
  return (response) => {
    request.onAlive();
    if (response.canceled) return end(endOf(response));
    if (response.created || response.watch_id === NO_WATCH) return;
    for (const event of response.events) gathered.push(eventOf(event));
    if (response.fragment) return;
    const events = gathered;
    gathered = [];
    if (events.length > 0) request.onEvents(events);
    else request.onProgress(Number(response.header.revision));
  };
}

function endOf({ compact_revision, cancel_reason }: IWatchResponse): WatchEnd {
  const revision = Number(compact_revision);
  if (revision > 0) return { kind: 'compacted', revision };
  return { kind: 'error', cause: new Error(`etcd ended the watch: ${cancel_reason || 'no reason given'}`) };
}

function eventOf({ type, kv }: IEvent): KvEvent {
  const key = kv.key.toString();
  const modRevision = Number(kv.mod_revision);
  return type === 'Delete' || (type as string) === 'DELETE'
    ? { key, modRevision }
    : { key, modRevision, entry: entryOf(kv) };
}
