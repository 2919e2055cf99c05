/** The contract suite on the memory store. The same suite runs on a real etcd in tests/integration/store-contract.test.ts. */
import { describeStoreContract, realClock } from './contract';
import { createMemoryKv } from './memory-kv';

describeStoreContract('memory', () => {
  const kv = createMemoryKv({ clock: realClock });
  return Promise.resolve({
    kv,
    compact: (revision) => {
      kv.compact(revision);
      return Promise.resolve();
    },
    close: () => {
      kv.close();
      return Promise.resolve();
    },
  });
});
