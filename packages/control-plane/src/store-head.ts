/** Where the store's history stands, over any Kv of the store package. See freshness.ts for what it is asked for. */
import { LpmosError } from '@lpmos/core';
import { MARK_KEY } from '@lpmos/store';
import type { Kv } from '@lpmos/store';
import type { StoreHead } from './ports';

export function createStoreHead({ kv }: { readonly kv: Kv }): StoreHead {
  return {
    async currentRevision() {
      const { revision } = await kv.range({ range: { start: MARK_KEY }, limit: 1 });
      return String(revision);
    },
    async putMark() {
      const outcome = await kv.txn({
        compares: [],
        then: [{ op: 'put', key: MARK_KEY, value: '' }],
        otherwise: [],
      });
      if (outcome.kind === 'done') return String(outcome.revision);
      if (outcome.kind === 'refused') throw outcome.error;
      const message = 'The store did not answer in time; try again';
      throw new LpmosError({ code: 'unavailable', message, cause: outcome.cause });
    },
  };
}
