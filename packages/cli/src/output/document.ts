/** Any JSON document as indented lines for people: names in words, aligned values, nothing left out but nulls. */
import { printable } from '../terminal';
import { alignColumns } from './table';

export function documentLines(value: unknown, indent = ''): string[] {
  if (typeof value !== 'object' || value === null) return [indent + scalarText(value)];
  const lines: string[] = [];
  let scalars: string[][] = [];
  const flush = (): void => {
    lines.push(...alignColumns(scalars).map((line) => indent + line));
    scalars = [];
  };
  for (const [key, item] of Object.entries(value)) {
    if (item === null || item === undefined) continue;
    const name = Array.isArray(value) ? '-' : key.replaceAll('_', ' ');
    if (isFlat(item)) {
      scalars.push([name, flatText(item)]);
      continue;
    }
    flush();
    lines.push(indent + printable(name), ...documentLines(item, `${indent}  `));
  }
  flush();
  return lines;
}

function isFlat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Array.isArray(value) && value.every((item) => typeof item !== 'object');
}

function flatText(value: unknown): string {
  if (!Array.isArray(value)) return scalarText(value);
  return value.length === 0 ? 'none' : value.map(scalarText).join(', ');
}

function scalarText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}
