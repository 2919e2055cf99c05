/** What an examination of a network says: one finding for each check, with its fix, and the exit code of the worst. Pure. */
import { DOCTOR_EXIT, EXIT_DONE } from '../exit-codes';

export type Verdict = 'ok' | 'info' | 'warning' | 'bad';

export interface Finding {
  /** `dhcp answer`, `tftp options`. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was seen, in words. */
  readonly finding: string;
  /** What to do; absent where all is well. */
  readonly fix?: string;
}

export function ok(check: string, finding: string): Finding {
  return { check, verdict: 'ok', finding };
}

/** Nothing wrong, and worth knowing. */
export function info(check: string, finding: string): Finding {
  return { check, verdict: 'info', finding };
}

export function warning(check: string, finding: string, fix: string): Finding {
  return { check, verdict: 'warning', finding, fix };
}

export function bad(check: string, finding: string, fix: string): Finding {
  return { check, verdict: 'bad', finding, fix };
}

export function exitCodeOfFindings(findings: readonly Finding[]): number {
  if (findings.some(({ verdict }) => verdict === 'bad')) return DOCTOR_EXIT.bad;
  return findings.some(({ verdict }) => verdict === 'warning') ? DOCTOR_EXIT.warning : EXIT_DONE;
}
