/**
 * `lpmos task watch`: every event, and every new connection, makes it look at the task again; events carry no facts here, so nothing
 * hangs on one that was missed or came twice. Words are made by watch-progress.ts; here they are put on the terminal.
 */
import { isPassing } from '@lpmos/api';
import { LpmosError } from '@lpmos/core';
import { requiredText } from '../command';
import type { CommandContext, CommandRun } from '../command';
import type { ControlPlane, TaskDocument } from '../control-plane';
import { describeDuration, parseDuration } from '../duration';
import { createLiveLine } from '../output/live-line';
import { resolveTask } from '../task-reference';
import { note, printable, say } from '../terminal';
import { invalidOption } from '../usage-error';
import { liveLine, newWords, NOTHING_SAID, watchEnd, WATCH_GOALS } from '../watch-progress';
import type { Said, WatchGoal } from '../watch-progress';

/** On a terminal the bar moves by itself; in a log every tenth percent is enough. */
const LOG_STEPS = 10;

export const run: CommandRun = async ({ context, args, options }) => {
  const goal = readGoal(requiredText(options, 'until'));
  const giveUpMs = parseDuration(requiredText(options, 'giveUp'), '--give-up');
  const api = await context.connect();
  const id = await resolveTask(api, args[0] ?? '');
  const view = createView(context);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, context.signal]);
  const link = createLinkWatch(giveUpMs, () => stop.abort());
  try {
    const onReconnect = (reason: string): void => {
      view.reconnecting(reason);
      link.broken(reason);
    };
    for await (const _hint of api.events({ taskId: id, signal, onReconnect })) {
      link.up();
      const task = await look(api, id);
      if (task === undefined) continue;
      view.show(task);
      const end = watchEnd(task, goal);
      if (end !== undefined) return end;
    }
    throw new LpmosError({ code: 'unavailable', message: link.lastWords() });
  } finally {
    stop.abort();
    view.close();
  }
};

interface LinkWatch {
  up(): void;
  broken(reason: string): void;
  lastWords(): string;
}

/** Patience with a broken link: measured on the monotonic clock, from the first failure after the last success. */
function createLinkWatch(giveUpMs: number, giveUp: () => void): LinkWatch {
  let downSince: number | undefined;
  let words = '';
  return {
    up() {
      downSince = undefined;
    },
    broken(reason) {
      words = reason;
      downSince ??= performance.now();
      if (performance.now() - downSince >= giveUpMs) giveUp();
    },
    lastWords: () =>
      `Gave up after ${describeDuration(giveUpMs)} without the control plane (--give-up): ${words}`,
  };
}

/** Away for a moment is no end: the stream notices the same, waits, and gives up in time. */
async function look(api: ControlPlane, id: string): Promise<TaskDocument | undefined> {
  try {
    return await api.getTask(id);
  } catch (thrown) {
    if (isPassing(LpmosError.from(thrown))) return undefined;
    throw thrown;
  }
}

function readGoal(text: string): WatchGoal {
  const goal = WATCH_GOALS.find((known) => known === text);
  if (goal === undefined)
    throw invalidOption('--until', `must be one of ${WATCH_GOALS.join(', ')}, not "${text}"`);
  return goal;
}

interface View {
  show(task: TaskDocument): void;
  reconnecting(reason: string): void;
  close(): void;
}

function createView(context: CommandContext): View {
  return context.format === 'json' ? jsonView(context) : wordsView(context);
}

/** One JSON document a line, whenever the task changed. */
function jsonView({ terminal }: CommandContext): View {
  let last = '';
  return {
    show(task) {
      const text = JSON.stringify(task);
      if (text !== last) say(terminal, text);
      last = text;
    },
    reconnecting: (reason) => note(terminal, `lpmos: ${printable(reason)}; trying again`),
    close: () => undefined,
  };
}

function wordsView({ terminal }: CommandContext): View {
  const live = terminal.stdout.isTTY ? createLiveLine(terminal.stdout) : undefined;
  let said: Said = NOTHING_SAID;
  return {
    show(task) {
      // On a terminal progress is the business of the bar alone.
      const words = newWords(said, live === undefined ? task : { ...task, progress: undefined }, LOG_STEPS);
      said = words.said;
      live?.clear();
      for (const line of words.lines) say(terminal, line);
      live?.draw(liveLine(task, terminal.stdout.columns));
    },
    reconnecting(reason) {
      if (live === undefined) note(terminal, `lpmos: ${printable(reason)}; trying again`);
      else live.draw(`${printable(reason)}; trying again`.slice(0, terminal.stdout.columns - 1));
    },
    close: () => live?.clear(),
  };
}
