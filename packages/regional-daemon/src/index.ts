export { REGIONAL_DAEMON_CONFIG } from './config';
export type { RegionalDaemonConfig } from './config';
export { plan } from './reconcile/plan';
export type { AgentFacts, Order, Plan, TaskFacts } from './reconcile/plan';
export { createRegionalDaemon } from './regional-daemon';
export type { RegionalDaemonOptions } from './regional-daemon';
