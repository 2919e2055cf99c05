/** Thin: what operators' tools ask of the process itself. */
import { openApiDocument } from '@lpmos/api';
import type { Health, Metrics } from '@lpmos/runtime';
import type { Handlers } from '../http/context';

export interface ServiceHandlerOptions {
  readonly health: Health;
  readonly metrics: Metrics;
  /** Brings sampled gauges up to date. */
  readonly sample: () => void;
  readonly version: string;
}

export function serviceHandlers({
  health,
  metrics,
  sample,
  version,
}: ServiceHandlerOptions): Pick<Handlers, 'getHealthz' | 'getReadyz' | 'getMetrics' | 'getOpenapi'> {
  const document = openApiDocument({ version });
  return {
    getHealthz: () => ({ kind: 'json', status: 200, body: { status: 'ok', version } }),
    getReadyz() {
      const { ready, checks } = health.report();
      const body = { status: ready ? 'ready' : 'not_ready', version, checks };
      return { kind: 'json', status: ready ? 200 : 503, body };
    },
    async getMetrics() {
      sample();
      const { contentType, text } = await metrics.expose();
      return { kind: 'text', contentType, text };
    },
    getOpenapi: () => ({ kind: 'json', status: 200, body: document }),
  };
}
