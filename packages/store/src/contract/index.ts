/**
 * ONE suite for every Kv: memory (unit tests) and a real etcd (integration tests) pass the same tests, so that whoever tests
 * against memory tests against etcd's semantics. Functions here call describe and it; they run inside jest only.
 */
import type { OpenStore } from './host';
import { describeKv } from './kv-contract';
import { describeLeaseStore } from './lease-store-contract';
import { describeSessions } from './session-contract';
import { describeTaskStore } from './task-store-contract';
import { describeWatches } from './watch-contract';

export { createLossyKv } from './lossy-kv';
export type { Loss, LossyKv } from './lossy-kv';
export type { OpenStore, StoreUnderTest } from './host';
export * from './fixtures';
export { watchAsStock } from './stock-watcher';
export type { StockWatcher } from './stock-watcher';

export function describeStoreContract(name: string, open: OpenStore): void {
  describe(`the store contract on ${name}`, () => {
    describe('Kv', () => describeKv(open));
    describe('TaskStore', () => describeTaskStore(open));
    describe('LeaseStore', () => describeLeaseStore(open));
    describe('watches', () => describeWatches(open));
    describe('sessions and regions', () => describeSessions(open));
  });
}
