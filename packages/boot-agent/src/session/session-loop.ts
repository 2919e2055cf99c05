/**
 * The shell around session-machine.ts: feeds it what happens and does what it asks for. It decides nothing.
 * Invariant: inputs are taken one at a time in order; at most one link, one redial timer and one installation exist.
 */
import type { SessionResponse } from '@lpmos/proto';
import type { InstallOrder } from '../install/install-order';
import type { InstallOutcome, InstallProgress } from '../install/runner';
import type { Link, OpenLink } from './connection';
import { stepSession } from './session-machine';
import type { SessionEffect, SessionInput, SessionState } from './session-state';

export interface SessionLoopOptions {
  readonly initial: SessionState;
  readonly openLink: OpenLink;
  readonly install: (run: InstallRun) => Promise<InstallOutcome>;
  readonly say: (line: string) => void;
  readonly nowMs: () => number;
  readonly random: () => number;
}

export interface InstallRun {
  readonly order: InstallOrder;
  readonly signal: AbortSignal;
  readonly regionTimeMs: () => number;
  readonly onProgress: (progress: InstallProgress) => void;
}

export interface SessionLoop {
  feed(input: SessionInput): void;
  /** Why the machine is to reboot; settles once, after the pause that was asked for. */
  readonly done: Promise<string>;
}

export function startSessionLoop(options: SessionLoopOptions): SessionLoop {
  let state = options.initial;
  let link: Link | undefined;
  let cancel = new AbortController();
  let busy = false;
  const queue: SessionInput[] = [];
  let finish: (reason: string) => void = () => undefined;
  const done = new Promise<string>((resolve) => {
    finish = resolve;
  });

  const feed = (input: SessionInput): void => {
    queue.push(input);
    if (busy) return;
    busy = true;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [after, effects] = stepSession(state, next);
        state = after;
        effects.forEach(perform);
      }
    } finally {
      busy = false;
    }
  };

  const perform = (effect: SessionEffect): void => {
    switch (effect.kind) {
      case 'dial': {
        const onMessage = (message: SessionResponse): void =>
          feed({ kind: 'received', message, nowMs: options.nowMs() });
        const onBroken = (code: number, reason: string): void =>
          feed({ kind: 'broken', code, reason, random: options.random() });
        link = options.openLink(effect, { onMessage, onBroken });
        return;
      }
      case 'send':
        return link?.send(effect.request);
      case 'hang-up':
        return link?.close(effect.reason);
      case 'redial-after':
        setTimeout(() => feed({ kind: 'redial' }), effect.ms);
        return;
      case 'install':
        cancel = new AbortController();
        void startInstall(effect.order);
        return;
      case 'cancel-install':
        return cancel.abort();
      case 'reboot':
        setTimeout(() => {
          link?.close('the machine restarts');
          finish(effect.reason);
        }, effect.afterMs);
        return;
      case 'say':
        return options.say(effect.line);
    }
  };

  const startInstall = async (order: InstallOrder): Promise<void> => {
    const outcome = await options.install({
      order,
      signal: cancel.signal,
      regionTimeMs: () => options.nowMs() + state.clockOffsetMs,
      onProgress: (progress) => feed({ kind: 'progress', progress }),
    });
    feed({ kind: 'install-ended', outcome });
  };

  feed({ kind: 'start' });
  return { feed, done };
}
