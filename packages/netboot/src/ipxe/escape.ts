/**
 * The one place that decides what may stand in an iPXE script. iPXE has no quoting at all: it splits a line at white
 * space, takes `||`, `&&` and `;` as operators, `#` as a comment, and expands `${...}` everywhere, kernel lines included.
 * So nothing is escaped: what a machine reads is refused by a typed error when it holds anything outside an allow-list
 * (`commandWord`), and what a person reads is made harmless and can never fail (`consoleText`).
 */
import { invalidField } from '@lpmos/core';

/** Longest single word: a URL with a query, or one kernel argument. */
const MAX_WORD_LENGTH = 1024;
/** A console of 80 columns and a prefix; longer reasons wrap once. */
const MAX_CONSOLE_LENGTH = 160;
/** No white space, control character, quote, backslash, `$`, backquote, `;`, `#`, `|`, `<`, `>`, braces, non-ASCII. */
const WORD = /^[A-Za-z0-9._\-/:,=@%+~[\]?&!*()^]+$/;
const SETTING = /^[a-z][a-z0-9-]*(?:\/[a-z][a-z0-9-]*)?(?::[a-z0-9]+)?$/;
/** Made by iPXE itself from a closed set of words. */
const HARMLESS_NAMES: ReadonlySet<string> = new Set(['platform', 'buildarch', 'unixtime']);
const HARMLESS_TYPE = /:(?:u?int(?:8|16|32)|hex|hexhyp|hexraw|ipv4|ipv6|uuid|guid|uristring)$/;
const LABEL = /^[a-z][a-z0-9_]*$/;
const URL_START = /^(?:https?|tftp):\/\/[^/]/;

/** @throws LpmosError `invalid_argument` naming `field`, unless the value is one harmless word. */
export function commandWord(value: string, field: string): string {
  if (value.length === 0) throw invalidField(field, 'must not be empty');
  if (value.length > MAX_WORD_LENGTH)
    throw invalidField(field, `must have at most ${MAX_WORD_LENGTH} characters`);
  if (!WORD.test(value)) {
    const found = [...value].find((character) => !WORD.test(character)) ?? '';
    const code = (found.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
    throw invalidField(
      field,
      `must not hold the character U+${code}, which an iPXE script cannot carry; remove it`,
    );
  }
  // `&` alone separates parameters of a query; doubled it is an operator wherever a parser looks for one.
  if (value.includes('&&')) throw invalidField(field, 'must not hold "&&"; remove it');
  return value;
}

/** @throws LpmosError `invalid_argument` unless it is an absolute URL that this iPXE can fetch. */
export function fetchableUrl(value: string, field: string): string {
  if (!URL_START.test(value)) throw invalidField(field, 'must be an absolute http, https or tftp URL');
  return commandWord(value, field);
}

/** A setting such as `net0/mac:hexhyp` or `platform`. @throws LpmosError `invalid_argument`. */
export function settingName(value: string, field = 'setting'): string {
  if (value.length <= 64 && SETTING.test(value)) return value;
  throw invalidField(field, 'must be the name of an iPXE setting such as platform or net0/mac:hexhyp');
}

/**
 * A setting whose value may be expanded in a line. iPXE expands a line *before* it splits it, so a setting that holds
 * free text (a host name from DHCP, a serial from DMI) could bring operators and commands along.
 * @throws LpmosError `invalid_argument` unless the value cannot hold any, by its type or its origin.
 */
export function harmlessSetting(value: string): string {
  const name = settingName(value);
  if (HARMLESS_NAMES.has(name) || HARMLESS_TYPE.test(name)) return name;
  throw invalidField(
    'setting',
    `${name} may hold free text; give it a type such as :hexhyp, :uuid, :int32 or :uristring`,
  );
}

/** @throws LpmosError `invalid_argument`. */
export function labelName(value: string, field = 'label'): string {
  if (value.length <= 32 && LABEL.test(value)) return value;
  throw invalidField(field, 'must be a label of lower-case letters, digits and underscores');
}

/** @throws LpmosError `invalid_argument` unless it is a whole number in the range. */
export function wholeNumber(value: number, field: string, range: readonly [number, number]): string {
  if (Number.isInteger(value) && value >= range[0] && value <= range[1]) return String(value);
  throw invalidField(field, `must be a whole number from ${range[0]} to ${range[1]}`);
}

/**
 * Text for the console, total: what iPXE could read as anything but text becomes a near look-alike, the rest is cut.
 * Never starts with `-`, which `echo` would take for an option.
 */
export function consoleText(text: string): string {
  const harmless = text
    .replace(/\s+/gu, ' ')
    .replaceAll(';', ',')
    .replace(/[$`\\#{}|&<>"]|[^\x20-\x7e]/gu, '?')
    .trim()
    .replace(/^-+/, '')
    .trim();
  return harmless.length > MAX_CONSOLE_LENGTH ? `${harmless.slice(0, MAX_CONSOLE_LENGTH - 3)}...` : harmless;
}
