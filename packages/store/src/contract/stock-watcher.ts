/**
 * etcd3's own Watcher as an unsuspecting user would write it. For one test only: it shows that the faults which our watch
 * survives really are faults that lose events. Nothing of the product may use it.
 */
import { Etcd3 } from 'etcd3';

export interface StockWatcher {
  /** Keys of the puts it told of. */
  readonly seen: ReadonlySet<string>;
  /** Errors it reported; most losses report none. */
  readonly errors: readonly Error[];
  close(): void;
}

export async function watchAsStock(endpoint: string, prefix: string): Promise<StockWatcher> {
  const client = new Etcd3({ hosts: endpoint });
  const seen = new Set<string>();
  const errors: Error[] = [];
  const watcher = await client.watch().prefix(prefix).create();
  watcher.on('put', (entry) => seen.add(entry.key.toString()));
  watcher.on('error', (error) => errors.push(error));
  return {
    seen,
    errors,
    close: () => {
      watcher.removeAllListeners('disconnected');
      watcher.cancel().catch(() => undefined);
      client.close();
    },
  };
}
