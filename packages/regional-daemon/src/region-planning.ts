/**
 * The thinking half of the daemon: the watched tasks, what the region can serve, who leads, and the loop that plans and commits. It opens no
 * door to machines (machine-doors.ts) and decides nothing itself; the decisions are reconcile/plan.ts.
 */
import { createHash } from 'node:crypto';
import { DEFAULT_WRITE_BUDGET, regionTag } from '@lpmos/core';
import type { Clock, Fence, Sha256, TaskId, TaskStore } from '@lpmos/core';
import type { Logger } from '@lpmos/runtime';
import { createTaskStore, watchTasks } from '@lpmos/store';
import type { Kv, WatchedTasks } from '@lpmos/store';
import { createAgents } from './agent-gateway/agents';
import type { Agents } from './agent-gateway/agents';
import { createContacts } from './boot/contacts';
import type { Contacts } from './boot/contacts';
import type { RegionalDaemonConfig } from './config';
import { createCatalogue } from './images/catalogue';
import type { Catalogue } from './images/catalogue';
import { createLeadership } from './leadership';
import type { LeadershipKeeper } from './leadership';
import { createReconcileLoop } from './reconcile/loop';
import type { ReconcileLoop } from './reconcile/loop';
import { preparationOf } from './reconcile/preparation';
import { createReconciler } from './reconcile/reconciler';

export interface RegionPlanningOptions {
  readonly config: RegionalDaemonConfig;
  readonly kv: Kv;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RegionPlanning {
  readonly cache: WatchedTasks;
  readonly store: TaskStore;
  readonly catalogue: Catalogue;
  readonly leadership: LeadershipKeeper;
  readonly fence: () => Fence | undefined;
  readonly agents: Agents;
  readonly contacts: Contacts;
  readonly loop: ReconcileLoop;
  /** Who the region's writes say they are from. */
  readonly actor: string;
  readonly sha256: Sha256;
}

export function createRegionPlanning({ config, kv, clock, logger }: RegionPlanningOptions): RegionPlanning {
  const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();
  const cache = watchTasks({ kv, clock, logger, regionTag: regionTag(config.regionId, sha256) });
  const store = createTaskStore({ kv, clock });
  const catalogue = createCatalogue(config);
  const leadership = createLeadership({
    ...{ kv, clock, logger, regionId: config.regionId, nodeName: config.nodeName },
    ttlSeconds: config.sessionSeconds,
    onLead: () => loop.addAll(),
  });
  const { fence } = leadership;
  const wake = (id: TaskId): void => loop.add(id);
  const agents = createAgents({ clock, onChange: wake });
  const contacts = createContacts({ onContact: wake });
  const actor = `region:${config.regionId}`;
  const reconcile = createReconciler({
    ...{ cache, store, fence, agents, contacts, clock, logger, actor },
    // The agent checks the grant's own number; the region spends no more than what the hub grants.
    writeBudget: DEFAULT_WRITE_BUDGET,
    preparation: (task) => preparationOf(task, catalogue),
  });
  const loop = createReconcileLoop({ cache, reconcile, logger });
  return { cache, store, catalogue, leadership, fence, agents, contacts, loop, actor, sha256 };
}
