/** The seed's GET /health, told honestly: every service with its own state, and in words what is missing. Pure. */

export type ServiceState = 'running' | 'stopped' | 'off' | `failed: ${string}`;

export interface HealthFacts {
  readonly regionId: string;
  readonly nodeName: string;
  readonly version: string;
  readonly services: Readonly<Record<'dhcp' | 'tftp' | 'http' | 'agent', ServiceState>>;
  /** Milliseconds since etcd was last heard from. */
  readonly etcdSilentForMs: number;
  readonly tasksRead: boolean;
  readonly leadership: string;
  readonly leader: string | undefined;
  readonly lastHeartbeat: string | undefined;
  readonly problems: readonly string[];
  /** What people have to know and nothing here can check or cure: it is said and degrades nothing. */
  readonly notices: readonly string[];
  readonly agents: number;
}

/** Two progress notices of etcd and some. */
const ETCD_SILENT_MS = 30_000;

export function healthBody(facts: HealthFacts): { readonly healthy: boolean; readonly body: unknown } {
  const etcdConnected = facts.etcdSilentForMs < ETCD_SILENT_MS;
  const serving = Object.values(facts.services).every((state) => state === 'running' || state === 'off');
  const standby = facts.leadership === 'standby';
  // A daemon that neither leads nor stands by is cut off: it answers machines from memory, but what they say is not stored.
  const ranked = standby || facts.leadership === 'leading';
  const served = serving || standby;
  const healthy = etcdConnected && facts.tasksRead && ranked && served && facts.problems.length === 0;
  return {
    healthy,
    body: {
      status: healthy ? 'healthy' : 'degraded',
      region_id: facts.regionId,
      node_name: facts.nodeName,
      version: facts.version,
      services: facts.services,
      etcd_connected: etcdConnected,
      tasks_read: facts.tasksRead,
      leadership: facts.leadership,
      ...(facts.leader === undefined ? {} : { leader: facts.leader }),
      ...(facts.lastHeartbeat === undefined ? {} : { last_heartbeat: facts.lastHeartbeat }),
      connected_agents: facts.agents,
      problems: facts.problems,
      notices: facts.notices,
    },
  };
}
