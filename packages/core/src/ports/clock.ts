/** Time as a port: wall time for people and records, monotonic time for deadlines. Implementations live in `runtime`. */
export interface Clock {
  /** Milliseconds since the epoch; may step. Only for display, records, certificates and tokens. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never steps. Every deadline and timeout is measured on it. */
  monotonicMs(): number;
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
