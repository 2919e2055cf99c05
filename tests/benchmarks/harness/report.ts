/**
 * Results as text: for the terminal, and as a block of docs/benchmarks.md between two markers that carry the benchmark's name. A run
 * replaces its own block only, so that a page may hold figures of different days, each with its own date. Pure but for writeBlock.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { BenchmarkResult, Table, Target } from './benchmark';
import type { Provenance } from './provenance';

export interface Report {
  readonly name: string;
  readonly quick: boolean;
  readonly result: BenchmarkResult;
  readonly provenance: Provenance;
}

export function renderReport(report: Report): string {
  const { result, provenance, quick } = report;
  const { commit, date, machine, loadBefore, loadAfter } = provenance;
  const mode = quick ? ', **quick run, preliminary**' : '';
  return [
    ...(result.targets.length === 0 ? [] : [renderTable(targetTable(result.targets))]),
    ...result.tables.map(renderTable),
    ...(result.remarks.length === 0 ? [] : [result.remarks.map((remark) => `- ${remark}`).join('\n')]),
    `Commit ${commit}, ${date}, ${machine}; load ${loadBefore} before and ${loadAfter} after${mode}.`,
  ].join('\n\n');
}

function targetTable(targets: readonly Target[]): Table {
  return {
    title: '',
    columns: ['target', 'wanted', 'measured', ''],
    rows: targets.map(({ what, wanted, measured, met }) => [
      what,
      wanted,
      measured,
      met ? 'met' : '**missed**',
    ]),
  };
}

export function renderTable({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const table = [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
  return title === '' ? table : `${title}:\n\n${table}`;
}

/** @throws Error when the page has no place for this benchmark. */
export function writeBlock(pageFile: string, report: Report): void {
  writeFileSync(pageFile, replaceBlock(readFileSync(pageFile, 'utf8'), report.name, renderReport(report)));
}

export function replaceBlock(page: string, name: string, block: string): string {
  const begin = `<!-- benchmark:${name} -->`;
  const end = `<!-- /benchmark:${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no pair of markers ${begin} … ${end}; add them`);
  return `${page.slice(0, from)}${begin}\n\n${block}\n\n${page.slice(to)}`;
}
