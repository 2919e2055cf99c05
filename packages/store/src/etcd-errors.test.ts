import { EtcdPermissionDeniedError, GRPCDeadlineExceededError, GRPCUnavailableError } from 'etcd3';
import { errorOf, isCertainlyNotApplied, isNeverSent } from './etcd-errors';
import { KvCompacted } from './kv';

/** Texts as grpc-js 1.14 and etcd 3.4 say them. */
const UNKNOWN = [
  new GRPCDeadlineExceededError(
    '4 DEADLINE_EXCEEDED: Deadline exceeded after 1.0s,LB pick: 0.001s,remote_addr=127.0.0.1:2379',
  ),
  new GRPCUnavailableError('14 UNAVAILABLE: Connection dropped'),
  new GRPCUnavailableError('14 UNAVAILABLE: read ECONNRESET'),
  new GRPCUnavailableError(
    '14 UNAVAILABLE: etcdserver: request timed out, possibly due to previous leader failure',
  ),
  new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: leader changed'),
  new Error('anything else'),
  'not even an error',
];
const NOT_APPLIED = [
  new GRPCUnavailableError(
    '14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:2379.',
  ),
  new GRPCUnavailableError('14 UNAVAILABLE: Channel closed before call started'),
  new GRPCUnavailableError('14 UNAVAILABLE: Name resolution failed for target dns:etcd.invalid:2379'),
  new GRPCDeadlineExceededError('4 DEADLINE_EXCEEDED: Deadline exceeded after 1.0s,Waiting for LB pick'),
  new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: no leader'),
  new EtcdPermissionDeniedError('7 PERMISSION_DENIED: etcdserver: permission denied'),
  new Error('8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded'),
];

describe('failures of etcd', () => {
  it.each(UNKNOWN)('leave a write unknown: %s', (error) => {
    expect(isCertainlyNotApplied(error)).toBe(false);
    expect(isNeverSent(error)).toBe(false);
  });

  it.each(NOT_APPLIED)('mean that a write was not applied: %s', (error) => {
    expect(isCertainlyNotApplied(error)).toBe(true);
  });

  it('have names of our own outside', () => {
    const codes = [...UNKNOWN, ...NOT_APPLIED].map((error) => (errorOf(error) as { code?: string }).code);
    expect(new Set(codes)).toEqual(new Set(['deadline_exceeded', 'unavailable', 'internal']));
    const compacted = new Error('11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted');
    expect(errorOf(compacted)).toBeInstanceOf(KvCompacted);
  });
});
