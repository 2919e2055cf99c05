/**
 * What both stores refuse before they are asked: transactions that etcd would not take. Pure.
 * Refusing here makes memory and etcd agree, and names the key instead of etcd's bare "request is too large".
 */
import { LpmosError } from '@lpmos/core';
import { MAX_TXN_OPERATIONS, MAX_VALUE_BYTES } from './kv';
import type { Txn } from './kv';

/** The refusal, or undefined when the transaction may be sent. */
export function txnProblem(txn: Txn): LpmosError | undefined {
  const most = Math.max(txn.compares.length, txn.then.length, txn.otherwise.length);
  if (most > MAX_TXN_OPERATIONS) {
    return tooLarge(
      `A transaction of ${most} operations is over the limit of ${MAX_TXN_OPERATIONS}; write in parts`,
    );
  }
  const seen = new Set<string>();
  for (const write of txn.then) {
    if (seen.has(write.key)) {
      return new LpmosError({ code: 'internal', message: `A transaction writes ${write.key} twice` });
    }
    seen.add(write.key);
    if (write.op !== 'put') continue;
    const bytes = Buffer.byteLength(write.value);
    if (bytes > MAX_VALUE_BYTES) {
      return tooLarge(`The value of ${write.key} is ${bytes} bytes; the limit is ${MAX_VALUE_BYTES}`);
    }
  }
  return undefined;
}

function tooLarge(message: string): LpmosError {
  return new LpmosError({ code: 'too_large', message });
}
