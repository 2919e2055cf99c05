/** What the watch cache tells of itself, sampled at the moment of a scrape. */
import type { Metrics } from '@lpmos/runtime';
import type { WatchedTasks } from '@lpmos/store';

/** @returns the function that takes the samples. */
export function watchMetrics(metrics: Metrics, cache: WatchedTasks): () => void {
  const rows: readonly [string, string, () => number][] = [
    ['lpmos_control_plane_cached_tasks', 'Tasks in the watch cache.', () => cache.ids().length],
    [
      'lpmos_control_plane_corrupt_tasks',
      'Tasks left out because a value does not decode.',
      () => cache.corruptTasks,
    ],
    [
      'lpmos_control_plane_cache_divergences',
      'Changes that the watch lost and a list showed.',
      () => cache.divergences,
    ],
    ['lpmos_control_plane_cache_restarts', 'How often the watch began again.', () => cache.restarts],
    [
      'lpmos_control_plane_store_silence_seconds',
      'Time since etcd was last heard from; -1 before the first time.',
      () => (cache.silentForMs === Infinity ? -1 : cache.silentForMs / 1000),
    ],
  ];
  const samples = rows.map(([name, help, read]) => ({ gauge: metrics.gauge(name, help), read }));
  return () => {
    for (const { gauge, read } of samples) gauge.set(read());
  };
}
