/**
 * Values for a GRUB script: pure. Every word is written in single quotes, inside of which GRUB's scanner knows no expansion, no operator
 * and no comment (GRUB manual, "Quoting"), so the only character that can end a word is the quote itself, and that is refused.
 * What a machine reads is refused by a typed error when it holds anything unusual; what a person reads is made harmless and never fails.
 */
import { invalidField } from '@lpmos/core';

const MAX_WORD_LENGTH = 1024;
/** A console of 80 columns; longer reasons wrap once. */
const MAX_CONSOLE_LENGTH = 160;
/** GRUB escapes quotes and backslashes once more when it builds the kernel line, so they would arrive changed. */
const WORD = /^[\x21-\x26\x28-\x5b\x5d-\x7e]+$/;
const DOUBLE_QUOTE = '"';
const VARIABLE = /^[a-z][a-z0-9_]{0,63}$/;

/** One quoted word. @throws LpmosError `invalid_argument` naming `field`, when it holds what a script cannot carry. */
export function quotedWord(value: string, field: string): string {
  if (value.length === 0) throw invalidField(field, 'must not be empty');
  if (value.length > MAX_WORD_LENGTH)
    throw invalidField(field, `must have at most ${MAX_WORD_LENGTH} characters`);
  if (!WORD.test(value) || value.includes(DOUBLE_QUOTE)) {
    const found = [...value].find((character) => !WORD.test(character)) ?? DOUBLE_QUOTE;
    const code = (found.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
    throw invalidField(
      field,
      `must not hold the character U+${code}, which a GRUB script cannot carry; remove it`,
    );
  }
  return `'${value}'`;
}

/** A variable whose value GRUB fills in when it runs the line; in double quotes the value is never scanned again. */
export function variableReference(name: string): string {
  return `"\${${variableName(name)}}"`;
}

/** @throws LpmosError `invalid_argument`. */
export function variableName(name: string): string {
  if (VARIABLE.test(name)) return name;
  throw invalidField('variable', 'must be a name of lower-case letters, digits and underscores');
}

/** Text for the console, quoted; total. Never starts with `-`, which `echo` would take for an option. */
export function quotedText(text: string): string {
  const harmless = text
    .replace(/\s+/gu, ' ')
    .replace(/'/gu, '`')
    .replace(/[^\x20-\x7e]/gu, '?')
    .trim()
    .replace(/^[-\s]+/, '');
  const short = harmless.length > MAX_CONSOLE_LENGTH;
  return `'${short ? `${harmless.slice(0, MAX_CONSOLE_LENGTH - 3)}...` : harmless}'`;
}
