/**
 * Makes etcd3 clients that behave: no hidden retries (three of them multiply every deadline and repeat writes), a deadline on
 * every unary call, unlimited message size (lists of 10 000 tasks are over gRPC's 4 MiB), gRPC keepalive not below etcd's
 * minimum of 5 s ("excess pings" otherwise), `hasleader` so that a member without quorum says so instead of nothing,
 * and a connection of its own per client, because grpc-js else shares one between clients of equal options.
 */
import { Etcd3 } from 'etcd3';
import type { IOptions } from 'etcd3';

export interface EtcdConfig {
  /** `http://host:port` or `https://host:port`; all of one kind. Names, not addresses, where TLS is used. */
  readonly endpoints: readonly string[];
  readonly tls?: {
    readonly ca: Buffer;
    /** Client certificate and key, PEM; its common name is the etcd user. */
    readonly cert?: Buffer;
    readonly key?: Buffer;
  };
  readonly username?: string;
  readonly password?: string;
  /** Deadline of one unary call in milliseconds; 3000 when absent. */
  readonly callTimeoutMs?: number;
  /** Silence after which a watch is probed, and then how long it may stay silent; 10 000 and 5 000 when absent. */
  readonly watchProbeMs?: number;
  readonly watchDeadMs?: number;
}

export const CALL_TIMEOUT_MS = 3_000;

const GRPC_OPTIONS = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
};

type FaultPolicy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** Calls once. What may be repeated is decided in etcd-kv.ts, where it is known what the call does. */
const callOnce = {
  execute: (call: (context: unknown) => unknown) => Promise.resolve().then(() => call({})),
} as unknown as FaultPolicy;

type CallOptions = Exclude<NonNullable<IOptions['defaultCallOptions']>, (...never: never[]) => unknown>;
type Interceptor = NonNullable<CallOptions['interceptors']>[number];

const requireLeader: Interceptor = (options, nextCall) => {
  const call = nextCall(options) as ReturnType<Interceptor>;
  const start = call.start.bind(call);
  call.start = (metadata, listener) => {
    const own = metadata.clone();
    own.set('hasleader', 'true');
    start(own, listener);
  };
  return call;
};

/** @throws Error for endpoints of mixed kinds or none. */
export function createEtcdClient(config: EtcdConfig, endpoint: string): Etcd3 {
  const { tls, username, password, callTimeoutMs = CALL_TIMEOUT_MS } = config;
  return new Etcd3({
    hosts: endpoint,
    grpcOptions: GRPC_OPTIONS,
    faultHandling: { global: callOnce, host: () => callOnce },
    defaultCallOptions: ({ isStream }) => ({
      interceptors: [requireLeader],
      ...(isStream ? {} : { deadline: Date.now() + callTimeoutMs }),
    }),
    ...(tls === undefined ? {} : { credentials: credentialsOf(tls) }),
    ...(username === undefined ? {} : { auth: { username, password: password ?? '' } }),
  });
}

function credentialsOf(tls: NonNullable<EtcdConfig['tls']>): NonNullable<IOptions['credentials']> {
  return {
    rootCertificate: tls.ca,
    ...(tls.key === undefined ? {} : { privateKey: tls.key }),
    ...(tls.cert === undefined ? {} : { certChain: tls.cert }),
  };
}
