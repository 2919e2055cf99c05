/**
 * What a session remembers, what may happen to it and what it may ask for: the vocabulary of session-machine.ts. Values only.
 */
import type { HardwareReport, MacAddress, RegionId, TaskId } from '@lpmos/core';
import type { SessionRequest, SessionResponse } from '@lpmos/proto';
import type { InstallOrder } from '../install/install-order';
import type { InstallOutcome, InstallProgress } from '../install/runner';
import { EMPTY_OUTBOX } from './outbox';
import type { Outbox } from './outbox';

export interface SessionIdentity {
  readonly taskId: TaskId;
  readonly mac: MacAddress;
  readonly regionId: RegionId;
  readonly ticket: string;
  readonly agentVersion: string;
  /** Fresh per process. */
  readonly nonce: string;
}

export interface SessionState {
  readonly identity: SessionIdentity;
  /** `ip:port` of each daemon of the region, never empty. Which one leads is known only by asking. */
  readonly endpoints: readonly string[];
  /** Index of the endpoint of the present link or, when there is none, of the next. */
  readonly turn: number;
  /** From the first welcome on: resumes this session after a broken link. */
  readonly sessionToken?: string;
  /** A welcome came on the present link. */
  readonly greeted: boolean;
  /** Links that broke since the last welcome. */
  readonly failures: number;
  /**
   * For each endpoint, how often in a row it refused us. Counted apart: beside a daemon that leads and refuses, one that stands by says in
   * each turn that it cannot know; that is no refusal, and takes none back.
   */
  readonly refusals: readonly number[];
  readonly outbox: Outbox;
  readonly work: 'idle' | 'installing';
  /** The running or last attempt, and what came of it. */
  readonly attempt: number;
  readonly ended?: { readonly seq: number; readonly outcome: InstallOutcome };
  readonly diskTouched: boolean;
  /** Region's time minus the machine's. */
  readonly clockOffsetMs: number;
  /** Reboot once the region has stored message `seq`. */
  readonly rebootOnAck?: { readonly seq: number; readonly reason: string };
  /** A reboot was ordered while installing. */
  readonly rebootAfterInstall?: string;
  readonly waitReason: string;
  readonly leaving: boolean;
}

export type SessionInput =
  | { readonly kind: 'start' }
  | { readonly kind: 'hardware'; readonly report: HardwareReport }
  | { readonly kind: 'received'; readonly message: SessionResponse; readonly nowMs: number }
  /** `random` in 0..1 spreads the reconnects of a rack. */
  | { readonly kind: 'broken'; readonly code: number; readonly reason: string; readonly random: number }
  | { readonly kind: 'redial' }
  | { readonly kind: 'progress'; readonly progress: InstallProgress }
  | { readonly kind: 'install-ended'; readonly outcome: InstallOutcome }
  | { readonly kind: 'log'; readonly lines: readonly string[] };

export type SessionEffect =
  | {
      readonly kind: 'dial';
      readonly address: string;
      readonly patienceMs: number;
      readonly hello: SessionRequest;
    }
  | { readonly kind: 'send'; readonly request: SessionRequest }
  | { readonly kind: 'hang-up'; readonly reason: string }
  | { readonly kind: 'redial-after'; readonly ms: number }
  | { readonly kind: 'install'; readonly order: InstallOrder }
  | { readonly kind: 'cancel-install' }
  | { readonly kind: 'reboot'; readonly reason: string; readonly afterMs: number }
  | { readonly kind: 'say'; readonly line: string };

export type SessionStep = readonly [SessionState, readonly SessionEffect[]];

export function newSession(identity: SessionIdentity, endpoints: readonly string[]): SessionState {
  return {
    identity,
    endpoints,
    turn: 0,
    greeted: false,
    failures: 0,
    refusals: endpoints.map(() => 0),
    outbox: EMPTY_OUTBOX,
    work: 'idle',
    attempt: 0,
    diskTouched: false,
    clockOffsetMs: 0,
    waitReason: '',
    leaving: false,
  };
}
