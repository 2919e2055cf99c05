/**
 * The Kv port over etcd3's unary calls and raw streams. One client per member: the one that answers is kept, a failing one is
 * left for the next. Reads may be asked again within their deadline; a transaction is sent once, and again only when it
 * certainly never left. Each watch has a connection of its own, which dies with it: a half-open link or a lost
 * auth token cannot be inherited by the next one.
 */
import { LpmosError } from '@lpmos/core';
import type { Etcd3, ILeaseKeepAliveResponse } from 'etcd3';
import { CALL_TIMEOUT_MS, createEtcdClient } from './etcd-client';
import type { EtcdConfig } from './etcd-client';
import {
  errorOf,
  isCertainlyNotApplied,
  isCompacted,
  isLeaseGone,
  isNeverSent,
  isRejected,
} from './etcd-errors';
import { entryOf, rangeKeys, txnRequest } from './etcd-values';
import { watchOnStream } from './etcd-watch';
import type { WatchTiming } from './etcd-watch';
import type { Kv, LeaseState, RangePage, RangeRequest, Txn, TxnOutcome } from './kv';
import { txnProblem } from './txn-limits';

const WATCH_PROBE_MS = 10_000;
const WATCH_DEAD_MS = 5_000;

interface Members {
  readonly config: EtcdConfig;
  readonly clients: readonly Etcd3[];
  readonly timeoutMs: number;
  current: number;
}

/** @throws LpmosError `invalid_argument` for an unusable configuration. */
export function createEtcdKv(config: EtcdConfig): Kv {
  checkConfig(config);
  const members: Members = {
    config,
    clients: config.endpoints.map((endpoint) => createEtcdClient(config, endpoint)),
    timeoutMs: config.callTimeoutMs ?? CALL_TIMEOUT_MS,
    current: 0,
  };
  const closing = new AbortController();
  const timing: WatchTiming = {
    probeMs: config.watchProbeMs ?? WATCH_PROBE_MS,
    deadMs: config.watchDeadMs ?? WATCH_DEAD_MS,
  };
  return {
    range: (request) => ask(members, (client) => readPage(client, request)),
    txn: (txn) => sendTxn(members, txn),
    watch: async (request) => {
      const signal = AbortSignal.any([request.signal, closing.signal]);
      const client = createEtcdClient(config, config.endpoints[members.current] ?? '');
      const end = await watchOnStream(client, { ...request, signal }, timing);
      if (end.kind === 'error') leave(members, members.current);
      return end;
    },
    grantLease: async (ttlSeconds) => {
      const { ID, TTL } = await ask(members, (client) => client.leaseClient.leaseGrant({ TTL: ttlSeconds }));
      return { id: ID, ttlSeconds: Number(TTL) };
    },
    keepLeaseAlive: (leaseId) => ask(members, (client) => keepAliveOnce(client, leaseId, members.timeoutMs)),
    revokeLease: async (leaseId) => {
      await ask(members, async (client) => {
        try {
          await client.leaseClient.leaseRevoke({ ID: leaseId });
        } catch (error) {
          if (!isLeaseGone(error)) throw error;
        }
      });
    },
    close: () => {
      closing.abort();
      for (const client of members.clients) client.close();
    },
  };
}

function checkConfig({ endpoints }: EtcdConfig): void {
  const secure = endpoints.filter((endpoint) => endpoint.startsWith('https://'));
  const wrong = endpoints.filter((endpoint) => !/^https?:\/\/[^/\s]+:\d{1,5}$/.test(endpoint));
  const problem =
    endpoints.length === 0
      ? 'must name at least one member such as http://127.0.0.1:2379'
      : wrong.length > 0
        ? `must be http://host:port or https://host:port; ${wrong.join(', ')} is not`
        : secure.length > 0 && secure.length < endpoints.length
          ? 'must be all https or all http'
          : undefined;
  if (problem === undefined) return;
  throw new LpmosError({
    code: 'invalid_argument',
    message: `endpoints ${problem}`,
    fields: [{ path: 'endpoints', problem }],
  });
}

/** Repeatable calls: every member is asked once more than a failure needs, all within two deadlines. */
async function ask<T>(members: Members, call: (client: Etcd3) => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + 2 * members.timeoutMs;
  for (let attempt = 0; ; attempt++) {
    const member = members.current;
    try {
      return await call(clientAt(members, member));
    } catch (error) {
      if (isRejected(error) || isCompacted(error) || isLeaseGone(error)) throw errorOf(error);
      leave(members, member);
      const late = performance.now() + members.timeoutMs > giveUpAt;
      if (late || attempt >= members.clients.length) throw errorOf(error);
    }
  }
}

async function sendTxn(members: Members, txn: Txn): Promise<TxnOutcome> {
  const problem = txnProblem(txn);
  if (problem !== undefined) return { kind: 'refused', error: problem, leaseGone: false };
  const request = txnRequest(txn);
  for (let attempt = 0; ; attempt++) {
    const member = members.current;
    try {
      const { succeeded, header, responses } = await clientAt(members, member).kv.txn(request);
      const revision = Number(header.revision);
      if (succeeded) return { kind: 'done', succeeded, revision };
      const reads = responses.map(({ response_range }) => response_range.kvs.map(entryOf));
      return { kind: 'done', succeeded, revision, reads };
    } catch (cause) {
      if (!isRejected(cause)) leave(members, member);
      if (isNeverSent(cause) && attempt + 1 < members.clients.length) continue;
      if (!isCertainlyNotApplied(cause)) return { kind: 'unknown', cause };
      return { kind: 'refused', error: LpmosError.from(errorOf(cause)), leaseGone: isLeaseGone(cause) };
    }
  }
}

function clientAt({ clients }: Members, member: number): Etcd3 {
  const client = clients[member];
  if (client === undefined)
    throw new LpmosError({ code: 'internal', message: `There is no etcd member ${member}` });
  return client;
}

/** Turns to the next member, unless another call did so already. */
function leave(members: Members, member: number): void {
  if (members.current === member) members.current = (member + 1) % members.clients.length;
}

async function readPage(
  client: Etcd3,
  { range, limit, revision, keysOnly = false }: RangeRequest,
): Promise<RangePage> {
  const { kvs, more, header } = await client.kv.range({
    ...rangeKeys(range),
    limit,
    keys_only: keysOnly,
    ...(revision === undefined ? {} : { revision }),
  });
  return { entries: kvs.map(entryOf), more, revision: Number(header.revision) };
}

/** One request and one answer on a stream that is closed at once: no keepalive outlives its session. */
async function keepAliveOnce(
  client: Etcd3,
  leaseId: string,
  timeoutMs: number,
): Promise<LeaseState | undefined> {
  const stream = await client.leaseClient.leaseKeepAlive({ deadline: Date.now() + timeoutMs });
  try {
    const answer = await new Promise<ILeaseKeepAliveResponse>((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('the keepalive stream ended without an answer')));
      stream.write({ ID: leaseId });
    });
    const ttlSeconds = Number(answer.TTL);
    return ttlSeconds > 0 ? { id: leaseId, ttlSeconds } : undefined;
  } finally {
    stream.cancel();
  }
}
