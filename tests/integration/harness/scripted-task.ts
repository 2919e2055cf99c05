/** What a scripted region remembers of a task, and what a test can bend: the vocabulary of scripted-region.ts. */
import { randomBytes } from 'node:crypto';
import { createTaskId } from '@lpmos/core';
import type { BootDecision, GrantClaims, HardwareReport, MacAddress, RegionTag, TaskId } from '@lpmos/core';
import type { Image, InstallResult, SessionResponse } from '@lpmos/proto';

export type ScriptedState = 'waiting' | 'approved' | 'installing' | 'completed' | 'failed' | 'rejected';

export interface ScriptedTask {
  readonly id: TaskId;
  state: ScriptedState;
  attempt: number;
  digest?: string;
  reports: HardwareReport[];
  results: InstallResult[];
  percents: number[];
  cancelled: string[];
  hellos: ('ticket' | 'sessionToken')[];
  checkIns: unknown[];
  lastOrder?: SessionResponse['message'];
}

export interface ScriptedRegionOptions {
  /** What the approver says about a report; `later` leaves the machine waiting. */
  readonly approve?: (report: HardwareReport) => 'approve' | 'reject' | 'later';
  /** Changes the claims before they are signed. */
  readonly claims?: (claims: GrantClaims) => GrantClaims;
  /** Signs with another key than the one of the site files. */
  readonly foreignKey?: boolean;
  /** Bytes that are served as the image instead of the right ones. */
  readonly imageServed?: (compressed: Buffer) => Buffer;
  /** Another image than the region's own. */
  readonly image?: Image;
  readonly rawSize?: number;
  readonly siteFiles?: 'none';
  readonly budget?: number;
  /** How many daemons the kernel command line names; one by default. */
  readonly daemons?: 1 | 2;
  readonly decide?: (mac: MacAddress) => BootDecision | undefined;
}

export function newScriptedTask(tag: RegionTag): ScriptedTask {
  return {
    id: createTaskId(tag, randomBytes(12)),
    state: 'waiting',
    attempt: 0,
    reports: [],
    results: [],
    percents: [],
    cancelled: [],
    hellos: [],
    checkIns: [],
  };
}
