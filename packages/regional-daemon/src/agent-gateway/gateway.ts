/** The doors for agents, both of them, wired to one conversation: gRPC on one port, the seed's HTTP on another. */
import type { Clock, Fence, ImageManifest, Sha256, TaskCache, TaskRecord, TaskStore } from '@lpmos/core';
import type { Logger, Metrics } from '@lpmos/runtime';
import type { RegionSecrets } from '../boot/secrets';
import type { UsedTickets } from '../boot/used-tickets';
import type { RegionalDaemonConfig } from '../config';
import type { ServiceState } from '../health-body';
import type { Agents } from './agents';
import { createGrpcService } from './grpc-service';
import { createHttpApi } from './http-api';
import type { ProgressWriter } from './progress-writer';

export interface AgentGatewayOptions {
  readonly config: RegionalDaemonConfig;
  readonly cache: TaskCache;
  readonly store: TaskStore;
  readonly fence: () => Fence | undefined;
  readonly agents: Agents;
  readonly progress: ProgressWriter;
  readonly secrets: RegionSecrets;
  readonly usedTickets: UsedTickets;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly sha256: Sha256;
  readonly actor: string;
  readonly imageOf: (task: TaskRecord) => ImageManifest | undefined;
  /** Where agents find us: at the first one, and at those of the links. */
  readonly addresses: readonly string[];
  /** Which of them a peer is to dial. */
  readonly addressFor: (peer: string) => string;
  readonly imagesUrl: (address: string) => string;
  /** The region's other daemon beside an address of ours. */
  readonly partnerBeside: (address: string) => string | undefined;
  /** Another daemon leads the region. */
  readonly standsBy: () => boolean;
  readonly health: () => { readonly healthy: boolean; readonly body: unknown };
}

export interface AgentPorts {
  readonly agent_api: number;
  readonly agent_grpc: number;
}

export interface AgentGateway {
  start(): Promise<AgentPorts>;
  stop(): Promise<void>;
  ports(): AgentPorts;
  state(): ServiceState;
  /** `10.77.0.1:8082`, and behind a comma that of the region's other daemon: what agents dial; our own address unless one is named. */
  agentEndpoint(address?: string): string;
}

export function createAgentGateway(options: AgentGatewayOptions): AgentGateway {
  const { config } = options;
  let state: ServiceState = 'stopped';
  let ports: AgentPorts = { agent_api: config.agentApiPort, agent_grpc: config.agentGrpcPort };
  const tls = { certPem: config.agentCert.text, keyPem: config.agentKey.text };
  const grpc = createGrpcService({
    ...options,
    tls,
    regionId: config.regionId,
    addresses: options.addresses,
    port: config.agentGrpcPort,
    ordersFor: (peer) => {
      const address = options.addressFor(peer);
      const partner = options.partnerBeside(address);
      const statusUrl = (host: string): string => `https://${host}:${ports.agent_api}/api/v1/agent/status`;
      return {
        imageOf: options.imageOf,
        secrets: options.secrets,
        imagesUrl: () => options.imagesUrl(address),
        checkInUrl: () => statusUrl(address),
        partnerCheckInUrl: () => (partner === undefined ? undefined : statusUrl(partner)),
        tlsServerName: config.agentTlsName,
      };
    },
  });
  const http = createHttpApi({
    ...options,
    tls,
    addresses: options.addresses,
    port: config.agentApiPort,
    metricsText: () => options.metrics.expose(),
  });
  return {
    async start() {
      const grpcPort = (await grpc.start()).port;
      ports = { agent_grpc: grpcPort, agent_api: (await http.start()).port };
      state = 'running';
      return ports;
    },
    async stop() {
      state = 'stopped';
      await Promise.all([grpc.stop(), http.stop()]);
    },
    state: () => state,
    ports: () => ports,
    agentEndpoint: (address = config.serviceAddress) =>
      [address, options.partnerBeside(address)]
        .flatMap((host) => (host === undefined ? [] : [`${host}:${ports.agent_grpc}`]))
        .join(','),
  };
}
