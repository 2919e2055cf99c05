/** The terminal of the real process. The line reader is loaded when a question is asked, not before. */
import type { CliEnvironment } from './config';
import type { Terminal, TextSink } from './terminal';

const DEFAULT_COLUMNS = 100;

export function processTerminal(environment: CliEnvironment, signal: AbortSignal): Terminal {
  return {
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    canAsk: Boolean(process.stdin.isTTY) && Boolean(process.stderr.isTTY),
    color: Boolean(process.stdout.isTTY) && !environment.noColor,
    async ask(question) {
      const { createInterface } = await import('node:readline/promises');
      const reader = createInterface({ input: process.stdin, output: process.stderr });
      // The reader takes Ctrl-C for itself on a terminal; the process must hear of it.
      reader.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
      // Ctrl-D ends the input without an answer, which would leave the question pending for ever.
      const ended = new Promise<string>((resolve) => {
        reader.once('close', () => resolve(''));
      });
      try {
        return await Promise.race([reader.question(question, { signal }), ended]);
      } finally {
        reader.close();
      }
    },
  };
}

function sink(stream: NodeJS.WriteStream): TextSink {
  return {
    write(text) {
      stream.write(text);
    },
    // Absent, not false, when the stream is a pipe.
    isTTY: Boolean(stream.isTTY),
    get columns() {
      return stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS;
    },
  };
}
