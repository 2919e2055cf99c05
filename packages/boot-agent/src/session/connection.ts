/**
 * One link to the region: a gRPC stream over TLS with the site's CA. It opens, carries messages, and says exactly once that it broke.
 * When to open another, and to whom, is session-machine.ts.
 * Invariant: no link stays silent for ever: the first answer has a deadline, afterwards keepalive finds a dead peer in 15 s.
 */
import { credentials } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { AgentServiceClient } from '@lpmos/proto';
import type { SessionRequest, SessionResponse } from '@lpmos/proto';

export interface LinkEvents {
  onMessage(message: SessionResponse): void;
  /** Once, last. `code` is the gRPC status, `reason` for people. */
  onBroken(code: number, reason: string): void;
}

export interface Link {
  send(request: SessionRequest): void;
  /** Ends the link; `onBroken` follows with this reason. */
  close(reason: string): void;
}

export interface Call {
  /** `ip:port` */
  readonly address: string;
  /** How long the first answer may take, connecting included. */
  readonly patienceMs: number;
  readonly hello: SessionRequest;
}

export type OpenLink = (call: Call, events: LinkEvents) => Link;

const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;
/** Orders are a few KiB. */
const LARGEST_MESSAGE_BYTES = 1024 * 1024;

export function createGrpcLink(options: {
  readonly tlsServerName: string;
  readonly caPem: string;
}): OpenLink {
  const tls = credentials.createSsl(Buffer.from(options.caPem));
  return ({ address, patienceMs, hello }, events) => {
    const client = new AgentServiceClient(address, tls, {
      // The region is reached by address, its certificate is for its name.
      'grpc.ssl_target_name_override': options.tlsServerName,
      'grpc.default_authority': options.tlsServerName,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.max_receive_message_length': LARGEST_MESSAGE_BYTES,
      // A shared pool would hand out the broken connection and its own back-off again.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
    });
    const stream = client.session();
    let open = true;
    const end = (code: number, reason: string): void => {
      if (!open) return;
      open = false;
      clearTimeout(welcome);
      stream.cancel();
      client.close();
      events.onBroken(code, reason);
    };
    const silence = `the region does not answer within ${patienceMs / 1000} s`;
    const welcome = setTimeout(() => end(DEADLINE_EXCEEDED, silence), patienceMs);
    stream.on('data', (message: SessionResponse) => {
      clearTimeout(welcome);
      if (open) events.onMessage(message);
    });
    stream.on('error', (error: ServiceError) =>
      end(error.code ?? UNAVAILABLE, error.details || error.message),
    );
    stream.on('end', () => end(UNAVAILABLE, 'the region ended the session'));
    stream.write(hello);
    return {
      send: (request) => {
        if (open) stream.write(request);
      },
      close: (reason) => end(UNAVAILABLE, reason),
    };
  };
}
