/**
 * A Kv whose transactions can lose their way on purpose, to make the third outcome happen: the request never arrives,
 * the answer never arrives, or the request arrives late. For tests of everything that writes.
 */
import type { Kv, Txn, TxnOutcome } from '../kv';

export type Loss = 'request' | 'answer' | 'late';

export interface LossyKv extends Kv {
  /** The next transaction is lost so; one call, one loss. */
  loseNext(loss: Loss): void;
  /** Lets transactions lost as `late` arrive now. */
  deliverLate(): Promise<TxnOutcome[]>;
}

export function createLossyKv(kv: Kv): LossyKv {
  const losses: Loss[] = [];
  const late: Txn[] = [];
  return {
    ...kv,
    loseNext: (loss) => losses.push(loss),
    deliverLate: () => Promise.all(late.splice(0).map((txn) => kv.txn(txn))),
    txn: async (txn) => {
      const loss = losses.shift();
      if (loss === undefined) return kv.txn(txn);
      if (loss === 'late') late.push(txn);
      if (loss === 'answer') await kv.txn(txn);
      return { kind: 'unknown', cause: new Error(`test: ${loss} lost`) };
    },
  };
}
