/** The bounds of the feed, with a cache acted by hand: what a slow reader, an ended token and a full replica see. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createMetrics, createManualClock, silentLogger } from '@lpmos/runtime';
import type { TaskCache, TaskHint, TaskId, TaskRecord } from '@lpmos/core';
import { until } from '../testing/app-bench';
import { createEventFeed } from './event-feed';
import type { EventFeed, EventFeedOptions } from './event-feed';

const id = '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId;

/** Large enough that the buffers of the kernel are full after a few hundred. */
const record = (version: string): TaskRecord =>
  ({
    metadata: { id, region_id: 'dc1' },
    status: 'ready',
    version,
    run: { attempt: 0, waiting_for: 'x'.repeat(16_384) },
    timeline: [],
  }) as unknown as TaskRecord;

interface Bench {
  readonly feed: EventFeed;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly metrics: ReturnType<typeof createMetrics>;
  emit(revision: string): void;
  connect(lastEventId?: string): Promise<Socket & { received: string }>;
  failure: unknown;
}

const servers: { server: Server; feed: EventFeed; sockets: Socket[] }[] = [];

async function bench(options: Partial<EventFeedOptions> = {}): Promise<Bench> {
  const listeners = new Set<(hint: TaskHint) => void>();
  let revision = '1';
  const cache = {
    get revision() {
      return revision;
    },
    get: () => record(revision),
    ids: () => [id],
    onChange: (listener: (hint: TaskHint) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as TaskCache;
  const clock = createManualClock();
  const metrics = createMetrics();
  const freshness = { beforeRead: () => Promise.resolve(), afterWrite: () => Promise.resolve() };
  const feed = createEventFeed({
    cache,
    freshness,
    clock,
    logger: silentLogger,
    metrics,
    heartbeatMs: 5,
    ...options,
  });
  const asked: (string | undefined)[] = [];
  const result: Bench = {
    feed,
    clock,
    metrics,
    failure: undefined,
    emit(next) {
      revision = next;
      for (const listener of listeners) listener({ id, revision: next });
    },
    async connect(lastEventId) {
      asked.push(lastEventId);
      const { port } = server.address() as AddressInfo;
      const socket = Object.assign(connect(port, '127.0.0.1'), { received: '' });
      entry.sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      return socket;
    },
  };
  const expiresAt = clock.nowMs() / 1000 + 60;
  const server = createServer((_request, response) => {
    const subscription = { response, wants: () => true, lastEventId: asked.shift(), expiresAt };
    feed.open(subscription).catch((thrown: unknown) => {
      result.failure = thrown;
      response.destroy();
    });
  });
  const entry = { server, feed, sockets: [] as Socket[] };
  servers.push(entry);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return result;
}

function reading(socket: Socket & { received: string }): Socket & { received: string } {
  socket.on('data', (chunk: Buffer) => (socket.received += chunk.toString()));
  return socket;
}

afterEach(() => {
  for (const { server, feed, sockets } of servers.splice(0)) {
    feed.close('test');
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  }
});

describe('createEventFeed', () => {
  it('cuts a reader that does not read, and counts why', async () => {
    const { connect: dial, emit, metrics } = await bench({ maxBufferedBytes: 100_000 });
    const socket = await dial();
    socket.pause();
    let revision = 1;
    await until(async () => {
      for (let i = 0; i < 20; i += 1) {
        emit(String((revision += 1)));
        await Promise.resolve();
      }
      return (await metrics.expose()).text.includes('ended_total{reason="the reader is too slow');
    }, 4_000);
    const before = (await metrics.expose()).text;
    emit(String(revision + 1));
    expect(before).toContain('the reader is too slow; list the tasks and resume"} 1');
  });

  it('ends a stream with its token', async () => {
    const { connect: dial, clock } = await bench();
    const socket = reading(await dial());
    await until(() => socket.received.includes(': still here'));
    clock.advance(61_000);
    await until(() => socket.received.includes('"reason":"the token expired"'));
  });

  it('takes no more streams than it may', async () => {
    const made = await bench({ maxStreams: 1 });
    const first = reading(await made.connect());
    await until(() => first.received.includes('event: sync'));
    await made.connect();
    await until(() => made.failure !== undefined);
    expect(made.failure).toMatchObject({ code: 'rate_limited' });
  });

  it('asks who missed too much to list again instead of replaying it', async () => {
    const made = await bench({ maxReplay: 0 });
    const socket = reading(await made.connect('0'));
    await until(() => socket.received.includes('event: sync'));
    expect(socket.received).toContain('data: {"reset":true}');
    expect(socket.received).not.toContain('event: task');
  });

  it('sends the hints of one batch in the order of their revisions', async () => {
    const made = await bench();
    const socket = reading(await made.connect());
    await until(() => socket.received.includes('event: sync'));
    made.emit('9');
    await until(() => socket.received.includes('id: 9'));
    made.emit('4');
    await until(() => socket.received.split('event: task').length === 3);
    expect(socket.received).not.toContain('id: 4');
  });

  it('tells open streams that the replica goes away', async () => {
    const made = await bench();
    const socket = reading(await made.connect());
    await until(() => socket.received.includes('event: sync'));
    made.feed.close('the replica shuts down');
    await until(() => socket.received.includes('"reason":"the replica shuts down"'));
  });
});
