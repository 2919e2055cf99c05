/** Counts and times requests by operation and status: labels from the route table, never from a URL. */
import type { Metrics } from '@lpmos/runtime';
import type { ServerResponse } from 'node:http';

/** Seconds. A list from memory takes about a millisecond; beyond the last bucket clients have given up. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

export function observeRequests(
  metrics: Metrics,
): (response: ServerResponse, operation: () => string | undefined) => void {
  const count = metrics.counter('lpmos_control_plane_requests_total', 'Requests answered.', [
    'operation',
    'status',
  ]);
  const seconds = metrics.histogram(
    'lpmos_control_plane_request_seconds',
    'Time to the end of the answer; streams left out.',
    BUCKETS,
    ['operation'],
  );
  return (response, operation) => {
    const startMs = performance.now();
    response.once('close', () => {
      const name = operation() ?? 'none';
      count.inc({ operation: name, status: String(response.statusCode) });
      if (name !== 'streamEvents') seconds.observe({ operation: name }, (performance.now() - startMs) / 1000);
    });
  };
}
