/**
 * What a command is: a row of data that help, docs and the parser read, and a body that is loaded only when the command runs.
 * The rows are in command-table.ts; they must not import anything heavy, or `--help` gets slow.
 */
import type { ControlPlane } from './control-plane';
import type { Terminal } from './terminal';
import { invalidOption } from './usage-error';

export interface OptionSpec {
  /** As commander reads it: `--region <id>`. */
  readonly flags: string;
  readonly description: string;
  readonly default?: string;
  readonly repeatable?: true;
  readonly required?: true;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly description: string;
}

export interface CommandSpec {
  /** `task`, `approve`. Without a noun the command stands alone, as `explain`. */
  readonly noun: string;
  readonly verb: string;
  readonly summary: string;
  /** What is good to know beyond the summary. */
  readonly more?: string;
  readonly args: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  readonly load: () => Promise<{ readonly run: CommandRun }>;
}

/** As it is typed behind `lpmos`. */
export function commandWords({ noun, verb }: Pick<CommandSpec, 'noun' | 'verb'>): string[] {
  return noun === '' ? [verb] : [noun, verb];
}

export type CommandOptions = Readonly<Record<string, unknown>>;

export interface CommandInput {
  readonly context: CommandContext;
  readonly args: readonly string[];
  readonly options: CommandOptions;
}

/** @returns the exit code. */
export type CommandRun = (input: CommandInput) => Promise<number>;

export interface CommandContext {
  readonly terminal: Terminal;
  readonly format: 'table' | 'json';
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
  readonly readFile: (path: string) => Promise<string>;
  /** The control plane of --url with the token of --token; made on first use. */
  readonly connect: () => Promise<ControlPlane>;
}

export function optionText(options: CommandOptions, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** For an option that the parser already requires or defaults. */
export function requiredText(options: CommandOptions, name: string): string {
  const value = optionText(options, name);
  if (value === undefined) throw invalidOption(`--${name}`, 'is required');
  return value;
}

export function optionList(options: CommandOptions, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

export function optionCount(
  options: CommandOptions,
  rule: { readonly name: string; readonly min: number; readonly max: number },
): number {
  const text = requiredText(options, rule.name);
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < rule.min || value > rule.max) {
    throw invalidOption(
      `--${rule.name}`,
      `must be a whole number from ${rule.min} to ${rule.max}, not "${text}"`,
    );
  }
  return value;
}
