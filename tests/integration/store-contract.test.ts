/** The store's contract suite on a real etcd: the same tests that the memory store passes as unit tests. */
import { createEtcdKv } from '@lpmos/store';
import { describeStoreContract } from '@lpmos/store/contract';
import { startEtcd } from './harness/etcd';
import type { EtcdProcess } from './harness/etcd';
import { callEtcd } from './harness/etcd-json';

jest.setTimeout(60_000);

let etcd: EtcdProcess;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

describeStoreContract('etcd', async () => {
  await callEtcd(etcd.endpoint, 'kv/deleterange', { key: '/lpmos/', range_end: '/lpmos0' });
  const kv = createEtcdKv({ endpoints: [etcd.endpoint] });
  return {
    kv,
    compact: (revision) => callEtcd(etcd.endpoint, 'kv/compaction', { revision, physical: true }),
    close: () => {
      kv.close();
      return Promise.resolve();
    },
  };
});
