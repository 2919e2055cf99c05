/**
 * One gRPC stream to the region: dial, send, hear, end. TLS with the site's CA and the name of its certificate; nothing else is
 * trusted. Resuming over several streams is agent-session.ts.
 */
import { credentials, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { AgentServiceClient } from '@lpmos/proto';
import type { SessionRequest, SessionResponse } from '@lpmos/proto';

export interface AgentLinkOptions {
  /** host:port. */
  readonly address: string;
  /** PEM. */
  readonly ca: string;
  readonly serverName: string;
  /** How long the first message may take, connecting included. */
  readonly patienceMs: number;
  readonly onMessage: (message: SessionResponse) => void;
  /** Called exactly once. */
  readonly onEnd: (end: LinkEnd) => void;
}

/** `refused`: the region heard us and said no, so the same words will not help. `broken`: try again. */
export interface LinkEnd {
  readonly kind: 'refused' | 'broken';
  readonly detail: string;
}

export interface AgentLink {
  send(request: SessionRequest): void;
  /** Ends the stream and the channel; `onEnd` follows unless it was called before. */
  close(reason: string): void;
}

/** A dead peer is noticed within 15 s, as agents in the field do. */
const KEEPALIVE_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

const REFUSALS: ReadonlySet<number> = new Set([
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.NOT_FOUND,
  status.INVALID_ARGUMENT,
  status.FAILED_PRECONDITION,
]);

export function openAgentLink(options: AgentLinkOptions): AgentLink {
  const client = new AgentServiceClient(options.address, credentials.createSsl(Buffer.from(options.ca)), {
    'grpc.ssl_target_name_override': options.serverName,
    'grpc.default_authority': options.serverName,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    /** Machines of one fleet share a process; each must have its own connection, as real ones do. */
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  });
  // Not after a wait for a ready channel: that sits out a port that refuses, which says at once that no daemon is there.
  const call = client.session();
  let ended = false;
  const end = (result: LinkEnd): void => {
    if (ended) return;
    ended = true;
    clearTimeout(patience);
    call.cancel();
    client.close();
    options.onEnd(result);
  };
  const link: AgentLink = {
    send: (request) => {
      if (!ended) call.write(request);
    },
    close: (reason) => end({ kind: 'broken', detail: reason }),
  };
  const patience = setTimeout(
    () => end({ kind: 'broken', detail: `no answer within ${options.patienceMs} ms` }),
    options.patienceMs,
  );
  call.on('data', (message: SessionResponse) => {
    clearTimeout(patience);
    if (!ended) options.onMessage(message);
  });
  call.on('error', (thrown: ServiceError) => end(endOf(thrown)));
  call.on('end', () => end({ kind: 'broken', detail: 'the region ended the session' }));
  return link;
}

function endOf(error: ServiceError): LinkEnd {
  const refused = REFUSALS.has(error.code);
  return { kind: refused ? 'refused' : 'broken', detail: `${status[error.code]}: ${error.details}` };
}
