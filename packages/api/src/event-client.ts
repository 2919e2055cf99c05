/**
 * The stream of task events as an async iterator that survives broken links: it resumes by Last-Event-ID with back-off,
 * and takes silence beyond three heartbeats for a dead link. Events may come twice (at least once), never be left out.
 */
import { LpmosError } from '@lpmos/core';
import { createEventParser } from './event-stream';
import type { EventFrame } from './event-stream';
import { isPassing } from './passing';
import { taskEventSchema } from './schemas/tasks';
import type { Transport } from './transport';
import type { z } from 'zod';

export type TaskEventData = z.output<typeof taskEventSchema>;

export type ServerEvent =
  /** The stream is up and everything until `id` has been sent. `reset`: what was seen before may have been undone. */
  | { readonly kind: 'sync'; readonly id: string; readonly reset: boolean }
  | { readonly kind: 'task'; readonly id: string; readonly task: TaskEventData }
  | { readonly kind: 'task_removed'; readonly id: string; readonly taskId: string };

export interface EventsRequest {
  readonly taskId?: string;
  readonly regionId?: string;
  readonly lastEventId?: string;
  readonly signal?: AbortSignal;
  /** Told of each broken link, for a line on the screen. */
  readonly onReconnect?: (reason: string, delayMs: number) => void;
}

/** The server sends a heartbeat every 15 s. */
const SILENCE_MS = 45_000;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5_000;

export async function* readEvents(
  transport: Transport,
  request: EventsRequest,
): AsyncGenerator<ServerEvent, void, undefined> {
  let lastEventId = request.lastEventId;
  let failures = 0;
  const ended = (): boolean => request.signal?.aborted ?? false;
  while (!ended()) {
    let reason = 'the server ended the stream';
    try {
      for await (const event of readOnce(transport, {
        ...request,
        ...(lastEventId === undefined ? {} : { lastEventId }),
      })) {
        failures = 0;
        lastEventId = event.id;
        yield event;
      }
    } catch (thrown) {
      const error = LpmosError.from(thrown);
      if (ended()) return;
      if (!isPassing(error)) throw error;
      reason = error.message;
    }
    if (ended()) return;
    const delayMs =
      Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
    failures += 1;
    request.onReconnect?.(reason, delayMs);
    await pause(delayMs, request.signal);
  }
}

async function* readOnce(
  transport: Transport,
  request: EventsRequest,
): AsyncGenerator<ServerEvent, void, undefined> {
  const link = new AbortController();
  const signal = request.signal === undefined ? link.signal : AbortSignal.any([link.signal, request.signal]);
  const response = await transport.open({
    method: 'GET',
    path: `/api/v1/events${queryOf(request)}`,
    accept: 'text/event-stream',
    headers: request.lastEventId === undefined ? {} : { 'Last-Event-ID': request.lastEventId },
    signal,
  });
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const parser = createEventParser();
  const decoder = new TextDecoder();
  // Aborting the fetch is not enough: once its request object is garbage, Node 20's fetch no longer hears the signal,
  // and a stream that was open for a while kept its process alive.
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      const chunk = await readWithin(reader, SILENCE_MS);
      if (chunk === undefined) return;
      for (const frame of parser.push(decoder.decode(chunk, { stream: true }))) {
        const event = toEvent(frame);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    cancel();
    signal.removeEventListener('abort', cancel);
    link.abort();
  }
}

async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  silenceMs: number,
): Promise<Uint8Array | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silent = new Promise<never>((_resolve, reject) => {
    const error = new LpmosError({
      code: 'unavailable',
      message: `The event stream was silent for ${silenceMs} ms`,
    });
    timer = setTimeout(() => reject(error), silenceMs);
  });
  try {
    const { value } = await Promise.race([reader.read(), silent]);
    return value;
  } catch (thrown) {
    if (thrown instanceof LpmosError) throw thrown;
    throw new LpmosError({ code: 'unavailable', message: 'The event stream broke', cause: thrown });
  } finally {
    clearTimeout(timer);
  }
}

/** Kinds that a newer server may add are left out; a broken payload of a known kind is an error. */
function toEvent(frame: EventFrame): ServerEvent | undefined {
  const id = frame.id ?? '0';
  if (frame.event === 'task') {
    return { kind: 'task', id, task: taskEventSchema.parse(JSON.parse(frame.data)) };
  }
  if (frame.event === 'sync') {
    const data = JSON.parse(frame.data) as { reset?: unknown };
    return { kind: 'sync', id, reset: data.reset === true };
  }
  if (frame.event === 'task_removed') {
    const data = JSON.parse(frame.data) as { task_id?: unknown };
    return { kind: 'task_removed', id, taskId: String(data.task_id) };
  }
  return undefined;
}

function queryOf(request: EventsRequest): string {
  const query = new URLSearchParams();
  if (request.taskId !== undefined) query.set('task_id', request.taskId);
  if (request.regionId !== undefined) query.set('region_id', request.regionId);
  return query.size === 0 ? '' : `?${query.toString()}`;
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
