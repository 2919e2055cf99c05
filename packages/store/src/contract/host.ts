/** What the contract suite needs of a store under test. */
import type { Kv, Revision } from '../kv';

export interface StoreUnderTest {
  readonly kv: Kv;
  compact(revision: Revision): Promise<void>;
  close(): Promise<void>;
}

/** Gives an empty store for every test. */
export type OpenStore = () => Promise<StoreUnderTest>;
