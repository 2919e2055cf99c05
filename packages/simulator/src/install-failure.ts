/** Why an attempt ended without success, with the class that the region and the operator see. */
import type { FailureClass } from '@lpmos/core';

export class InstallFailure extends Error {
  constructor(
    readonly failureClass: FailureClass,
    message: string,
  ) {
    super(message);
    this.name = 'InstallFailure';
  }
}

/** The region asked to stop; obeyed at a safe point between two blocks. */
export class InstallCancelled extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'InstallCancelled';
  }
}
