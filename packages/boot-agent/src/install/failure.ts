/**
 * How an installation ends other than well. A failure carries the class that the domain knows and words for the technician:
 * what is wrong and what to do next. These never leave the package; the runner turns them into a result.
 */
import type { FailureClass } from '@lpmos/core';

export class InstallFailure extends Error {
  readonly failureClass: FailureClass;

  constructor(failureClass: FailureClass, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'InstallFailure';
    this.failureClass = failureClass;
  }
}

/** Thrown at a safe point after the order was cancelled. */
export class InstallCancelled extends Error {
  constructor() {
    super('the installation was cancelled');
    this.name = 'InstallCancelled';
  }
}

/** A safe point: between two blocks or two phases. */
export function safePoint(signal: AbortSignal): void {
  if (signal.aborted) throw new InstallCancelled();
}

export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
