/**
 * Which UEFI variables put a disk first in the boot order, from those that are there: pure. Reading and writing them is boot-order.ts.
 * One entry of ours and no more, however often a machine is installed: the entry that leads to the same place, or else the one with our name,
 * is written again. Nothing is deleted; what was in the order keeps its place behind the disk.
 * UEFI specification 2.10 section 3.1.2.
 */
import { decodeLoadOption } from './load-option';

/** The name of our entry in the firmware's menu. */
export const ENTRY_NAME = 'LPMOS installed system';

export interface BootVariables {
  /** Value of BootOrder without attributes; absent when the firmware has none. */
  readonly order: Uint8Array | undefined;
  /** Values of Boot#### by number. */
  readonly entries: ReadonlyMap<number, Uint8Array>;
}

export interface VariableWrite {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface BootOrderPlan {
  /** `Boot0003`. */
  readonly entry: string;
  /** In this order; none when everything stands as it should. */
  readonly writes: readonly VariableWrite[];
}

const MOST_ENTRIES = 0x10000;

/** @param option the load option of the disk. @returns undefined when all 65536 numbers are taken. */
export function planBootOrder(variables: BootVariables, option: Uint8Array): BootOrderPlan | undefined {
  const number = ownEntry(variables.entries, option) ?? freeNumber(variables.entries);
  if (number === undefined) return undefined;
  const order = readOrder(variables.order);
  const wanted = [number, ...order.filter((other) => other !== number)];
  const writes: VariableWrite[] = [];
  // The entry before the order that names it: a power failure between them changes nothing.
  if (!equal(variables.entries.get(number), option)) writes.push({ name: entryName(number), value: option });
  if (!equal(variables.order, orderBytes(wanted)))
    writes.push({ name: 'BootOrder', value: orderBytes(wanted) });
  return { entry: entryName(number), writes };
}

function ownEntry(entries: BootVariables['entries'], option: Uint8Array): number | undefined {
  const wanted = decodeLoadOption(option)?.path;
  const decoded = [...entries]
    .sort(([one], [other]) => one - other)
    .map(([number, value]) => ({ number, option: decodeLoadOption(value) }));
  const named = decoded.find(({ option: found }) => found?.description === ENTRY_NAME);
  const same = decoded.find(({ option: found }) => found !== undefined && equal(found.path, wanted));
  return (named ?? same)?.number;
}

function freeNumber(entries: BootVariables['entries']): number | undefined {
  for (let number = 0; number < MOST_ENTRIES; number += 1) if (!entries.has(number)) return number;
  return undefined;
}

function entryName(number: number): string {
  return `Boot${number.toString(16).toUpperCase().padStart(4, '0')}`;
}

function readOrder(bytes: Uint8Array | undefined): number[] {
  const order = Buffer.from(bytes ?? []);
  return Array.from({ length: Math.floor(order.length / 2) }, (_none, index) =>
    order.readUInt16LE(2 * index),
  );
}

function orderBytes(numbers: readonly number[]): Uint8Array {
  return Buffer.from(numbers.flatMap((number) => [number & 0xff, number >> 8]));
}

function equal(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && Buffer.from(one).equals(other);
}
