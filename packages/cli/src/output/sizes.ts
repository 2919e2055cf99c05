/** Sizes as they stand on a disk's label: decimal units, because that is what the approver compares with. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

export function describeBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}
