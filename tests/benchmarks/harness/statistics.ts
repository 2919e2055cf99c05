/** Medians, percentiles and spread of a handful of samples. Pure. An empty list has no median: NaN, which tables show as a dash. */

export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? NaN) + upper) / 2 : upper;
}

/** (max − min) / median, in percent: how far one may trust the median. */
export function spreadPercent(samples: readonly number[]): number {
  return ((Math.max(...samples) - Math.min(...samples)) / median(samples)) * 100;
}
