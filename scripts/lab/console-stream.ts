/**
 * The serial console of a machine as lines: kept (the last ones), followed by any number of readers, searched with a
 * deadline. Terminal control sequences of firmware and boot loaders are removed, so that a reader sees words.
 * Invariant: memory is bounded; a slow reader loses the oldest lines and never stops the machine.
 */
export interface ConsoleLine {
  readonly text: string;
  /** Milliseconds since power-on when the line was complete. */
  readonly atMs: number;
}

export interface ConsoleStream {
  push(chunk: string): void;
  /** No more lines will come; readers end. */
  close(): void;
  /** Last lines, oldest first. */
  recent(): readonly ConsoleLine[];
  /** All kept lines, then each new one. */
  lines(): AsyncIterable<ConsoleLine>;
  /** The first line, past or future, that matches; rejects with the last lines when the deadline passes. */
  waitFor(pattern: RegExp, options: { readonly deadlineMs: number }): Promise<ConsoleLine>;
}

/** A Linux boot with an installation prints some hundred lines. */
const KEPT_LINES = 5_000;
/** A firmware that draws a screen without a line end must not grow a line for ever. */
const MAX_LINE = 4_096;
const SHOWN_ON_FAILURE = 25;

// CSI sequences, OSC titles, single-character escapes, and control characters other than tab.
const CONTROL_SEQUENCES =
  /\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[@-Z\\-_=>c78]|[\x00-\x08\x0b\x0c\x0e-\x1f]/g;

export function plainText(text: string): string {
  return text.replace(CONTROL_SEQUENCES, '');
}

/** The kept lines under numbers that go on for ever, so that a reader knows which lines it has not seen. */
class LineStore {
  private readonly kept: ConsoleLine[] = [];
  private readonly watchers = new Set<() => void>();
  private firstNumber = 0;
  /** Text behind the last line end; a prompt stays there. */
  partial = '';
  closed = false;

  constructor(readonly now: () => number) {}

  add(raw: string): void {
    const text = plainText(raw).trimEnd();
    if (text === '') return;
    this.kept.push({ text, atMs: this.now() });
    if (this.kept.length <= KEPT_LINES) return;
    this.kept.shift();
    this.firstNumber += 1;
  }

  all(): ConsoleLine[] {
    return [...this.kept];
  }

  /** The oldest kept line with this number or a later one. */
  from(number: number): { readonly line: ConsoleLine; readonly next: number } | undefined {
    const index = Math.max(number - this.firstNumber, 0);
    const line = this.kept[index];
    return line === undefined ? undefined : { line, next: this.firstNumber + index + 1 };
  }

  watch(watcher: () => void): void {
    this.watchers.add(watcher);
  }

  unwatch(watcher: () => void): void {
    this.watchers.delete(watcher);
  }

  wake(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

async function nextWake(store: LineStore): Promise<void> {
  await new Promise<void>((resolve) => {
    const watcher = (): void => {
      store.unwatch(watcher);
      resolve();
    };
    store.watch(watcher);
  });
}

async function* readLines(store: LineStore): AsyncGenerator<ConsoleLine> {
  let number = 0;
  for (;;) {
    const found = store.from(number);
    if (found !== undefined) {
      number = found.next;
      yield found.line;
    } else if (store.closed) return;
    else await nextWake(store);
  }
}

/** A function that looks at lines not looked at before, and at last at the prompt. */
function searcher(store: LineStore, pattern: RegExp): () => ConsoleLine | undefined {
  let number = 0;
  return () => {
    for (let found = store.from(number); found !== undefined; found = store.from(number)) {
      number = found.next;
      if (pattern.test(found.line.text)) return found.line;
    }
    const prompt = plainText(store.partial);
    return pattern.test(prompt) ? { text: prompt, atMs: store.now() } : undefined;
  };
}

async function waitForLine(store: LineStore, pattern: RegExp, deadlineMs: number): Promise<ConsoleLine> {
  const search = searcher(store, pattern);
  const failure = (why: string): Error => {
    const shown = store.all().slice(-SHOWN_ON_FAILURE);
    return new Error(
      `console: ${String(pattern)} ${why}; last lines:\n${shown.map(({ text }) => `  ${text}`).join('\n')}`,
    );
  };
  return new Promise<ConsoleLine>((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(deadline);
      store.unwatch(look);
      settle();
    };
    const look = (): void => {
      const found = search();
      if (found !== undefined) finish(() => resolve(found));
      else if (store.closed) finish(() => reject(failure('never came before the end')));
    };
    const late = `did not come within ${deadlineMs / 1000} s`;
    const deadline = setTimeout(() => finish(() => reject(failure(late))), deadlineMs);
    store.watch(look);
    look();
  });
}

/** `now` gives milliseconds since power-on. */
export function createConsoleStream(options: { readonly now: () => number }): ConsoleStream {
  const store = new LineStore(options.now);
  return {
    push: (chunk) => {
      const parts = (store.partial + chunk).split(/\r?\n|\r/);
      store.partial = (parts.pop() ?? '').slice(-MAX_LINE);
      for (const part of parts) store.add(part);
      store.wake();
    },
    close: () => {
      store.add(store.partial);
      store.partial = '';
      store.closed = true;
      store.wake();
    },
    recent: () => store.all(),
    lines: () => readLines(store),
    waitFor: async (pattern, { deadlineMs }) => waitForLine(store, pattern, deadlineMs),
  };
}
