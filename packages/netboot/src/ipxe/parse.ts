/**
 * Reads the text of an iPXE script back into lines, words and operators, the way iPXE does: split at white space, `#` at
 * the start of a word begins a comment, `||`, `&&` and `;` are operators when they stand alone, `:name` is a label.
 * Runs nothing: interpret.ts does. Used by tests, to check what was rendered, and by the simulator.
 */
import { LpmosError } from '@lpmos/core';
import { IPXE_MAGIC } from './script';

export type Operator = '&&' | '||' | ';';

export interface ParsedCommand {
  /** How the command is joined to the one before it on its line; `;` for the first. */
  readonly after: Operator;
  /** Unexpanded; the first one is the command's name. Empty for an empty alternative. */
  readonly words: readonly string[];
}

export type ParsedLine =
  | { readonly kind: 'label'; readonly name: string }
  | {
      readonly kind: 'commands';
      /** The line as it stands: settings are expanded in it before it is split again. */
      readonly text: string;
      readonly commands: readonly ParsedCommand[];
    };

/** A script is fetched over the network: more than this is no script. */
const MAX_SCRIPT_BYTES = 64 * 1024;

/** @throws LpmosError `invalid_argument` when the text is no iPXE script. */
export function parseIpxeScript(text: string): readonly ParsedLine[] {
  if (text.length > MAX_SCRIPT_BYTES)
    throw invalid(`has ${text.length} characters, more than ${MAX_SCRIPT_BYTES}`);
  const [magic, ...lines] = text.split('\n');
  if (magic?.trimEnd() !== IPXE_MAGIC) throw invalid(`does not start with ${IPXE_MAGIC}`);
  return lines.flatMap(parseLine);
}

function parseLine(text: string): ParsedLine[] {
  const [first] = wordsOf(text);
  if (first === undefined) return [];
  if (first.startsWith(':')) return [{ kind: 'label', name: first.slice(1) }];
  return [{ kind: 'commands', text, commands: parseCommands(text) }];
}

/** One line that is no label, split into its commands. */
export function parseCommands(line: string): readonly ParsedCommand[] {
  const commands: { after: Operator; words: string[] }[] = [{ after: ';', words: [] }];
  for (const word of wordsOf(line)) {
    if (word === '&&' || word === '||' || word === ';') commands.push({ after: word, words: [] });
    else commands.at(-1)?.words.push(word);
  }
  return commands;
}

function wordsOf(line: string): string[] {
  const words = line.split(/[ \t\r]+/).filter((word) => word !== '');
  const comment = words.findIndex((word) => word.startsWith('#'));
  return comment === -1 ? words : words.slice(0, comment);
}

function invalid(problem: string): LpmosError {
  return new LpmosError({
    code: 'invalid_argument',
    message: `The script ${problem}`,
    fields: [{ path: 'script', problem }],
  });
}
