/** The kinds of settings: each reads a text into a value or says what is wrong with it. */
import { readFileSync } from 'node:fs';
import type { ConfigType } from './config';

export function textType(rule: { readonly describe: string; readonly pattern?: RegExp }): ConfigType<string> {
  return {
    describe: rule.describe,
    read: (text) =>
      text !== '' && (rule.pattern?.test(text) ?? true)
        ? { value: text }
        : { problem: `must be ${rule.describe}` },
  };
}

export function integerType(limits: {
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
}): ConfigType<number> {
  const describe = `a whole number from ${limits.min} to ${limits.max}${limits.unit === undefined ? '' : ` ${limits.unit}`}`;
  return {
    describe,
    read(text) {
      const value = Number(text);
      const right = /^-?\d{1,15}$/.test(text) && value >= limits.min && value <= limits.max;
      return right ? { value } : { problem: `must be ${describe}` };
    },
  };
}

/** 0 lets the system choose a free port. */
export const portType = integerType({ min: 0, max: 65535 });

export function choiceType<const T extends string>(choices: readonly T[]): ConfigType<T> {
  const describe = `one of ${choices.join(', ')}`;
  return {
    describe,
    read(text) {
      const value = choices.find((choice) => choice === text);
      return value === undefined ? { problem: `must be ${describe}` } : { value };
    },
  };
}

/** Comma-separated, at least one entry, each checked by `item`. */
export function listType<T>(item: ConfigType<T>): ConfigType<readonly T[]> {
  const describe = `comma-separated, each ${item.describe}`;
  return {
    describe,
    read(text) {
      const results = text.split(',').map((part) => item.read(part.trim()));
      const problem = results.find((result) => 'problem' in result);
      if (problem !== undefined && 'problem' in problem) return problem;
      return { value: results.flatMap((result) => ('value' in result ? [result.value] : [])) };
    },
  };
}

/** A structured setting: JSON in the variable, a mapping in the file. `parse` returns the value or every problem. */
export function jsonType<T>(rule: {
  readonly describe: string;
  readonly parse: (value: unknown) => { readonly value: T } | { readonly problems: readonly string[] };
}): ConfigType<T> {
  return {
    describe: rule.describe,
    read(text) {
      let parsed: unknown;
      try {
        parsed = JSON.parse(text);
      } catch {
        return { problem: `must be JSON: ${rule.describe}` };
      }
      const result = rule.parse(parsed);
      if ('value' in result) return result;
      const [problem = `must be ${rule.describe}`, ...more] = result.problems;
      return { problem, more };
    },
  };
}

/** A path whose content is the value: how secrets come in. Empty files are refused. */
export const fileContentType: ConfigType<{ readonly path: string; readonly text: string }> = {
  describe: 'the path of a readable, non-empty file',
  read(path) {
    if (path === '') return { problem: 'is empty; give the path of a file' };
    try {
      const text = readFileSync(path, 'utf8');
      return text.trim() === '' ? { problem: `${path} is empty` } : { value: { path, text } };
    } catch (thrown) {
      return { problem: `cannot read ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}` };
    }
  },
};

export const pathType: ConfigType<string> = textType({ describe: 'a path' });
export const ipv4Type: ConfigType<string> = textType({
  describe: 'an IPv4 address such as 10.77.0.1',
  pattern: /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/,
});
/** A member of etcd: the port is part of it, a path is not. */
export const endpointType: ConfigType<string> = textType({
  describe: 'http://host:port or https://host:port',
  pattern: /^https?:\/\/(?:\[[0-9a-fA-F:.]+\]|[^\s/:]+):\d{1,5}$/,
});
