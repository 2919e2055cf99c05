/**
 * Progress for a console: one line per phase and per five percent, because a serial line at 9600 baud carries 12 such lines a second
 * and a log keeps them all. Pure.
 */
import type { InstallProgress } from '../install/runner';

const STEP_PERCENT = 5;
const BAR = 20;
const MB = 1_000_000;

/** Where a progress stands on the console: changes exactly when a new line is due. */
export function progressMark({ phase, percent, bytesTotal, message }: InstallProgress): string {
  return bytesTotal > 0 ? `${phase} ${Math.floor(percent / STEP_PERCENT)}` : `${phase} ${message}`;
}

export function progressLine(progress: InstallProgress): string {
  const { phase, percent, bytesDone, bytesTotal, message } = progress;
  const name = phase.padEnd(15);
  if (bytesTotal === 0) return `${name} ${message}`;
  const filled = Math.round((percent / 100) * BAR);
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`;
  const amount = `${Math.round(bytesDone / MB)} of ${Math.round(bytesTotal / MB)} MB`;
  return `${name} ${bar} ${String(percent).padStart(3)} %  ${amount}`;
}
