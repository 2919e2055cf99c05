/** Steps on the terminal: what is being done, how long it took. Plain lines, so that a log of it reads well. */

export interface Steps {
  begin(text: string): void;
  /** What goes on inside a long step. */
  note(text: string): void;
  end(result: string): void;
}

export function createSteps(
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Steps {
  let startedAt = performance.now();
  let current = '';
  return {
    begin(text) {
      current = text;
      startedAt = performance.now();
      write(`==> ${text}\n`);
    },
    note: (text) => write(`    ${text}\n`),
    end(result) {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      write(`    done: ${current} (${result}, ${seconds} s)\n`);
    },
  };
}
