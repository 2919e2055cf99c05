/** Between our values and etcd's messages: keys and values are UTF-8 bytes there, 64-bit numbers are decimal strings. Pure. */
import type { ICompare, IKeyValue, IRequestOp, ITxnRequest } from 'etcd3';
import type { Compare, KeyRange, KvEntry, Txn, TxnWrite } from './kv';

export function rangeKeys(range: KeyRange): { key: Buffer; range_end?: Buffer } {
  const key = Buffer.from(range.start);
  return range.end === undefined ? { key } : { key, range_end: Buffer.from(range.end) };
}

export function entryOf(kv: IKeyValue): KvEntry {
  return {
    key: kv.key.toString(),
    value: kv.value.toString(),
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
    leaseId: kv.lease,
  };
}

export function txnRequest(txn: Txn): ITxnRequest {
  return {
    compare: txn.compares.map(compareOf),
    success: txn.then.map(writeOf),
    failure: txn.otherwise.map((range) => ({ request_range: rangeKeys(range) })),
  };
}

function compareOf(compare: Compare): ICompare {
  const key = Buffer.from(compare.key);
  const result = compare.is === '=' ? 'Equal' : 'Greater';
  switch (compare.field) {
    case 'value':
      return { key, result, target: 'Value', value: Buffer.from(compare.value) };
    case 'mod_revision':
      return { key, result, target: 'Mod', mod_revision: compare.revision };
    case 'create_revision':
      return { key, result, target: 'Create', create_revision: compare.revision };
  }
}

function writeOf(write: TxnWrite): IRequestOp {
  const key = Buffer.from(write.key);
  if (write.op === 'delete') return { request_delete_range: { key } };
  const lease = write.leaseId === undefined ? {} : { lease: write.leaseId };
  return { request_put: { key, value: Buffer.from(write.value), ...lease } };
}
