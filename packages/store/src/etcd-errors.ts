/**
 * What an etcd or gRPC failure means for a write: certainly not applied, or unknown; and what it is called outside. Pure.
 * Only failures that say so themselves count as "not applied": no connection was there, the call never left its queue,
 * or the server answered with a refusal it gives before proposing. Everything else, every timeout included, is unknown:
 * a write that "failed" was seen in the store 12 s later.
 */
import { LpmosError } from '@lpmos/core';
import {
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCInvalidArgumentError,
  GRPCUnauthenticatedError,
} from 'etcd3';
import { KvCompacted } from './kv';

/** Texts of grpc-js and etcd; they carry no code of their own that would tell these cases apart. */
const NEVER_SENT =
  /No connection established|Channel closed before call started|the client was already closed|Name resolution failed|Waiting for LB pick|waiting for name resolution|waiting for metadata filters/i;
const REFUSED_BEFORE_PROPOSING =
  /etcdserver: (?:no leader|too many requests|mvcc: database space exceeded|request is too large)|transport: Error while dialing/;

export function isCompacted(error: unknown): boolean {
  return textOf(error).includes('required revision has been compacted');
}

export function isLeaseGone(error: unknown): boolean {
  return error instanceof EtcdLeaseInvalidError || textOf(error).includes('requested lease not found');
}

/** Whether a transaction that ended so has certainly not been applied and never will be. */
export function isCertainlyNotApplied(error: unknown): boolean {
  const text = textOf(error);
  return (
    isRejected(error) || isLeaseGone(error) || NEVER_SENT.test(text) || REFUSED_BEFORE_PROPOSING.test(text)
  );
}

/** Whether another member may be asked, the call having certainly not been sent. */
export function isNeverSent(error: unknown): boolean {
  return NEVER_SENT.test(textOf(error)) || textOf(error).includes('etcdserver: no leader');
}

/** The server understood and says no; asking another member gives the same answer. */
export function isRejected(error: unknown): boolean {
  return (
    error instanceof GRPCInvalidArgumentError ||
    error instanceof EtcdPermissionDeniedError ||
    error instanceof EtcdAuthenticationFailedError ||
    error instanceof EtcdInvalidAuthTokenError ||
    error instanceof GRPCUnauthenticatedError
  );
}

/** The failure of a read or a lease call in our own words; compaction stays a type of its own. */
export function errorOf(cause: unknown): LpmosError | KvCompacted {
  if (cause instanceof LpmosError || cause instanceof KvCompacted) return cause;
  if (isCompacted(cause)) return new KvCompacted();
  if (isLeaseGone(cause)) {
    return new LpmosError({ code: 'conflict', message: 'The session has ended; nothing was written', cause });
  }
  if (isRejected(cause)) {
    const message =
      'etcd refuses this request or identity; the log has its answer. Check certificate, user and role';
    return new LpmosError({ code: 'internal', message, cause });
  }
  if (cause instanceof GRPCDeadlineExceededError) {
    return new LpmosError({
      code: 'deadline_exceeded',
      message: 'etcd did not answer in time; try again',
      cause,
    });
  }
  return new LpmosError({ code: 'unavailable', message: 'etcd cannot be asked now; try again', cause });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
