/**
 * What a benchmark is: a name, a question, and a run that yields tables, targets and remarks. Nothing here fails on a slow figure:
 * a missed target is printed as missed, and only a measurement that could not be made is an error.
 */

export interface BenchmarkContext {
  /** Fewer rounds, for a look; the figures then say so. */
  readonly quick: boolean;
  /** Progress for the person who waits. */
  note(text: string): void;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Target {
  readonly what: string;
  /** As people read it: "at most 42 MB". */
  readonly wanted: string;
  readonly measured: string;
  readonly met: boolean;
}

export interface BenchmarkResult {
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  /** What a reader must know to judge the figures. */
  readonly remarks: readonly string[];
}

export interface Benchmark {
  /** Also the name of its file and of its block in the page. */
  readonly name: string;
  readonly question: string;
  /** Programs that must be on this machine; each with its Debian package. */
  readonly needs?: readonly Need[];
  run(context: BenchmarkContext): Promise<BenchmarkResult>;
}

export interface Need {
  readonly program: string;
  readonly debianPackage: string;
}

/** A ceiling that a figure should stay under. */
export function atMost(what: string, limit: number, measured: number, unit: string): Target {
  return {
    what,
    wanted: `at most ${limit} ${unit}`,
    measured: `${rounded(measured)} ${unit}`,
    met: measured <= limit,
  };
}

export function atLeast(what: string, limit: number, measured: number, unit: string): Target {
  return {
    what,
    wanted: `at least ${limit} ${unit}`,
    measured: `${rounded(measured)} ${unit}`,
    met: measured >= limit,
  };
}

/** Three significant digits: no measurement here carries more. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
