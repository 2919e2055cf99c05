/**
 * The gRPC door of one daemon of a scripted region, on loopback. The conversation is the region's, as over one etcd; the daemon can stand by
 * (it ends a session at once) or die (its port refuses).
 */
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { AgentServiceService } from '@lpmos/proto';
import type { AgentServiceServer, SessionRequest, SessionResponse } from '@lpmos/proto';

export type Call = ServerDuplexStream<SessionRequest, SessionResponse>;

export interface ScriptedGateway {
  /** host:port */
  readonly endpoint: string;
  /** Calls that came, the ones it ended at once included. */
  readonly calls: number;
  standsBy: boolean;
  die(): void;
}

export async function startScriptedGateway(options: {
  readonly address: string;
  readonly tls: { readonly cert: string; readonly key: string };
  readonly session: (call: Call) => void;
}): Promise<ScriptedGateway> {
  const server = new Server();
  let calls = 0;
  const implementation: AgentServiceServer = {
    session(call) {
      calls += 1;
      if (!gateway.standsBy) return options.session(call);
      call.on('error', () => undefined);
      call.emit('error', { code: status.UNAVAILABLE, details: 'this daemon stands by' });
    },
    report: (_call, callback) => callback({ code: status.UNIMPLEMENTED }),
  };
  server.addService(AgentServiceService, implementation);
  const { cert, key } = options.tls;
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${options.address}:0`, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const gateway: ScriptedGateway = {
    endpoint: `${options.address}:${port}`,
    get calls() {
      return calls;
    },
    standsBy: false,
    die: () => server.forceShutdown(),
  };
  return gateway;
}
