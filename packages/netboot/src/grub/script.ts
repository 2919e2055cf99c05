/**
 * A GRUB script as typed commands, and its one rendering. Nobody else writes grub.cfg text: values go through escape.ts, so a rendered
 * script has the structure of its commands, whatever the values were.
 * Only commands are here that the GRUB has which Debian signs for the network: no `eval`, no `read`, no `http`, no arithmetic, and
 * nothing that would load a module, which Secure Boot prohibits.
 */
import { invalidField } from '@lpmos/core';
import { quotedText, quotedWord, variableName, variableReference } from './escape';

/** A file name or value: literal, or with the values that variables have when GRUB runs the line. */
export type GrubWord = string | readonly (string | { readonly variable: string })[];

export type GrubKernelArgument = readonly [key: string, value: string];

/** What `if` and `while` ask: whether a command worked, or whether a variable has a value. */
export type GrubCondition =
  { readonly works: GrubCommand } | { readonly variable: string; readonly is: string };

export type GrubCommand =
  | { readonly do: 'echo'; readonly text: string }
  /** Literal text behind the variable's own value; an empty one clears. */
  | { readonly do: 'set'; readonly variable: string; readonly value: string; readonly append?: boolean }
  /** Ends early when somebody presses ESC. */
  | { readonly do: 'sleep'; readonly seconds: number }
  | { readonly do: 'source'; readonly file: GrubWord }
  | { readonly do: 'linux'; readonly file: GrubWord; readonly arguments: readonly GrubKernelArgument[] }
  | { readonly do: 'initrd'; readonly files: readonly GrubWord[] }
  | { readonly do: 'boot' }
  | { readonly do: 'reboot' }
  /** Finds the file system that has the file and makes it the root of names without a device. */
  | { readonly do: 'search'; readonly file: string }
  | { readonly do: 'configfile'; readonly file: string }
  | { readonly do: 'chainloader'; readonly file: string }
  | {
      readonly do: 'if';
      readonly condition: GrubCondition;
      readonly then: GrubScript;
      readonly else?: GrubScript;
    }
  | { readonly do: 'while'; readonly condition: GrubCondition; readonly body: GrubScript };

export type GrubScript = readonly GrubCommand[];

/** x86 Linux takes 2047 characters; GRUB cuts nothing and the kernel would cut silently. */
const MAX_KERNEL_LINE = 2047;
const MAX_SLEEP_SECONDS = 3600;

/** @throws LpmosError `invalid_argument` naming the value that a GRUB script cannot carry. */
export function renderGrubScript(script: GrubScript): string {
  return `${lines(script, '').join('\n')}\n`;
}

function lines(script: GrubScript, indent: string): string[] {
  return script.flatMap((command) => block(command, indent));
}

function block(command: GrubCommand, indent: string): string[] {
  const inner = `${indent}  `;
  if (command.do === 'while') {
    const head = `${indent}while ${condition(command.condition)}; do`;
    return [head, ...lines(command.body, inner), `${indent}done`];
  }
  if (command.do === 'if') {
    const head = `${indent}if ${condition(command.condition)}; then`;
    const otherwise = command.else === undefined ? [] : [`${indent}else`, ...lines(command.else, inner)];
    return [head, ...lines(command.then, inner), ...otherwise, `${indent}fi`];
  }
  return [`${indent}${words(command).join(' ')}`];
}

function condition(asked: GrubCondition): string {
  if ('variable' in asked) {
    const value = asked.is === '' ? "''" : quotedWord(asked.is, 'value');
    return `[ ${variableReference(asked.variable)} = ${value} ]`;
  }
  const { works } = asked;
  if (works.do === 'if' || works.do === 'while') throw invalidField('condition', 'must be a simple command');
  return words(works).join(' ');
}

function words(command: Exclude<GrubCommand, { do: 'if' | 'while' }>): string[] {
  switch (command.do) {
    case 'echo':
      return ['echo', quotedText(command.text)];
    case 'set': {
      const own = command.append === true ? variableReference(command.variable) : '';
      const value = command.value === '' ? "''" : quotedWord(command.value, 'value');
      return ['set', `${variableName(command.variable)}=${own}${value}`];
    }
    case 'sleep':
      return ['sleep', '--interruptible', wholeSeconds(command.seconds)];
    case 'source':
      return ['source', word(command.file, 'source_file')];
    case 'linux':
      return ['linux', word(command.file, 'kernel_file'), ...kernelLine(command.arguments)];
    case 'initrd':
      return ['initrd', ...command.files.map((file) => word(file, 'initrd_file'))];
    case 'search':
      return ['search', '--no-floppy', '--file', '--set=root', quotedWord(command.file, 'search_file')];
    case 'configfile':
    case 'chainloader':
      return [command.do, quotedWord(command.file, `${command.do}_file`)];
    case 'boot':
    case 'reboot':
      return [command.do];
  }
}

function word(value: GrubWord, field: string): string {
  if (typeof value === 'string') return quotedWord(value, field);
  if (value.length === 0) throw invalidField(field, 'must not be empty');
  return value
    .map((piece) =>
      typeof piece === 'string' ? quotedWord(piece, field) : variableReference(piece.variable),
    )
    .join('');
}

function kernelLine(parts: readonly GrubKernelArgument[]): string[] {
  const plain = parts.map(([key, value]) => (value === '' ? key : `${key}=${value}`));
  const length = plain.join(' ').length;
  if (length > MAX_KERNEL_LINE) {
    const problem = `has ${length} characters, more than the ${MAX_KERNEL_LINE} that Linux takes; shorten the arguments`;
    throw invalidField('kernel_arguments', problem);
  }
  return plain.map((argument, index) =>
    quotedWord(argument, `kernel_argument ${/^[\w.-]{1,64}$/.exec(parts[index]?.[0] ?? '')?.[0] ?? index}`),
  );
}

function wholeSeconds(seconds: number): string {
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_SLEEP_SECONDS) return String(seconds);
  throw invalidField('seconds', `must be a whole number from 1 to ${MAX_SLEEP_SECONDS}`);
}
