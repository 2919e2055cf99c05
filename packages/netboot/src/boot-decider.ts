/**
 * The port through which every boot protocol asks what a machine boots. netboot knows no task and no etcd: the regional daemon
 * answers from its memory, synchronously, because an answer to a machine never waits for a store.
 * The protocols keep no state, so the same question comes several times in one boot: answering must be idempotent.
 */
import type { BootDecision, MacAddress } from '@lpmos/core';

export interface BootDecider {
  decide(mac: MacAddress): BootDecision;
}
