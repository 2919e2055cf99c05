/**
 * Aligned columns for people. Cells are cleaned of control characters; the last column is not padded, so that lines end
 * where their text ends. Widths count code points, which is right for the names and numbers that stand here.
 */
import { printable } from '../terminal';

const GAP = '  ';

/** The lines of a table with a header; rows may be shorter than the header. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return alignColumns([header, ...rows]);
}

/** Aligned lines without a header. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const clean = rows.map((row) => row.map(printable));
  const count = Math.max(0, ...clean.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...clean.map((row) => length(row[column] ?? ''))),
  );
  return clean.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : pad(cell, widths[column] ?? 0)))
      .join(GAP)
      .trimEnd(),
  );
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - length(text)));
}

function length(text: string): number {
  return [...text].length;
}
