/**
 * Configuration: one table per program, read once and completely. Sources, later ones win: defaults, a YAML file
 * (`--config` or LPMOS_CONFIG_FILE), LPMOS_* variables. All problems are reported together; an unknown LPMOS_* name or
 * file key is a problem, because a mistyped setting that is silently ignored is worse than a refused start.
 */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';

/** How the text of a setting becomes its value. `read` returns the value or the problem in words, and any further ones. */
export interface ConfigType<T> {
  readonly describe: string;
  read(text: string): { readonly value: T } | { readonly problem: string; readonly more?: readonly string[] };
}

export interface ConfigField<T = unknown> {
  /** Environment name, `LPMOS_…`; the file key is the rest in lower case. */
  readonly env: string;
  readonly type: ConfigType<T>;
  readonly description: string;
  /** Text as it would stand in the variable. A field with neither default nor `optional` is required. */
  readonly default?: string;
  readonly optional?: true;
  /** A name that it had: refused, with what has changed. */
  readonly formerly?: { readonly name: string; readonly change: string };
  /** Never printed. Secrets come by file; this marks the rare value that is one itself. */
  readonly secret?: true;
}

export type ConfigTable = Readonly<Record<string, ConfigField>>;

type ValueOf<F> = F extends { type: ConfigType<infer T> }
  ? F extends { optional: true }
    ? T | undefined
    : T
  : never;

export type ConfigOf<T extends ConfigTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** Keeps the literal types of a table while checking its shape. */
export function defineConfig<const T extends ConfigTable>(table: T): T {
  return table;
}

export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
    this.name = 'ConfigError';
  }
}

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Parsed YAML, an object of file keys. */
  readonly file?: unknown;
}

/** @throws ConfigError with every problem. */
export function readConfig<T extends ConfigTable>(table: T, sources: ConfigSources): ConfigOf<T> {
  const problems: string[] = [...unknownNames(table, sources)];
  const values: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(table)) {
    const text = textOf(field, sources) ?? field.default;
    if (text === undefined) {
      if (field.optional !== true) {
        problems.push(`${field.env} is required: ${field.description} (${field.type.describe})`);
      }
      continue;
    }
    const result = field.type.read(text);
    if ('problem' in result) {
      problems.push(`${field.env}=${shortened(shown(field, text))}: ${result.problem}`);
      problems.push(...(result.more ?? []).map((problem) => `${field.env}: ${problem}`));
    } else values[key] = result.value;
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return values as ConfigOf<T>;
}

/** The settings as `--print-config` shows them: names and values, secrets replaced. */
export function describeConfig<T extends ConfigTable>(table: T, sources: ConfigSources): string {
  return Object.values(table)
    .map((field) => {
      const text = textOf(field, sources);
      const origin = text === undefined ? 'default' : 'set';
      return `${field.env}=${shown(field, text ?? field.default ?? '')}  # ${origin}`;
    })
    .join('\n');
}

export function fileKey(field: ConfigField): string {
  return field.env.replace(/^LPMOS_/, '').toLowerCase();
}

/** Names that the surroundings may set for every program. */
const SHARED_NAMES = ['LPMOS_CONFIG_FILE'];

function unknownNames(table: ConfigTable, sources: ConfigSources): string[] {
  const names = new Set([...Object.values(table).map((field) => field.env), ...SHARED_NAMES]);
  const fromEnv = Object.keys(sources.env)
    .filter((name) => name.startsWith('LPMOS_') && !names.has(name))
    .map((name) => `${name} ${renamed(table, name) ?? UNKNOWN}`);
  if (sources.file === undefined || sources.file === null) return fromEnv;
  if (typeof sources.file !== 'object' || Array.isArray(sources.file)) {
    return [...fromEnv, 'the configuration file must be a mapping of settings'];
  }
  const keys = new Set(Object.values(table).map(fileKey));
  const fromFile = Object.keys(sources.file)
    .filter((key) => !keys.has(key))
    .map((key) => `"${key}" in the configuration file ${renamed(table, envName(key)) ?? UNKNOWN}`);
  return [...fromEnv, ...fromFile];
}

const UNKNOWN = 'is not a setting of this program; see --help';

function renamed(table: ConfigTable, name: string): string | undefined {
  const now = Object.values(table).find(({ formerly }) => formerly?.name === name);
  return now?.formerly && `is now ${now.env} (${fileKey(now)} in a file): ${now.formerly.change}`;
}

function envName(key: string): string {
  return `LPMOS_${key.toUpperCase()}`;
}

function textOf(field: ConfigField, sources: ConfigSources): string | undefined {
  const fromEnv = sources.env[field.env];
  if (fromEnv !== undefined) return fromEnv;
  const file = sources.file as Record<string, unknown> | null | undefined;
  const value = file?.[fileKey(field)];
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function shown(field: ConfigField, text: string): string {
  return field.secret === true ? '[secret]' : text;
}

const SHOWN_LENGTH = 100;

/** A structured setting may be pages long, and its problems name their places. */
function shortened(text: string): string {
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…`;
}

/** @throws ConfigError when the file cannot be read or is no YAML. */
export function readConfigFile(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, 'utf8'), { schema: 'core', maxAliasCount: 0 });
  } catch (thrown) {
    throw new ConfigError([
      `configuration file ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    ]);
  }
}
