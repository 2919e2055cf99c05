/**
 * Where words go. stdout carries data and nothing else, so that `-o json | jq` always works; everything said to a person
 * about the work goes to stderr. Text from machines (disk labels, models) is stripped of control characters before it is shown:
 * a disk must not be able to rewrite what an approver reads.
 */
export interface TextSink {
  write(text: string): void;
  readonly isTTY: boolean;
  readonly columns: number;
}

export interface Terminal {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Whether a person can be asked. */
  readonly canAsk: boolean;
  readonly color: boolean;
  /** One line of an answer; empty when the input ends. */
  ask(question: string): Promise<string>;
}

/** A line of data. */
export function say(terminal: Terminal, text: string): void {
  terminal.stdout.write(`${text}\n`);
}

/** A line about the work. */
export function note(terminal: Terminal, text: string): void {
  terminal.stderr.write(`${text}\n`);
}

/** One JSON document on stdout. */
export function sayJson(terminal: Terminal, value: unknown): void {
  say(terminal, JSON.stringify(value, null, 2));
}

const STYLES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' } as const;

export type Paint = (style: keyof typeof STYLES, text: string) => string;

export function painter(terminal: Pick<Terminal, 'color'>): Paint {
  return (style, text) => (terminal.color ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text);
}

/** C0, DEL, C1 and the bidirectional overrides of Unicode, which can reorder a line on the screen. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function printable(text: string): string {
  return text.replace(UNSAFE, '?');
}
