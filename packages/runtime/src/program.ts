/**
 * The skeleton that every service shares: `--help`, `--version`, `--print-config`, configuration with all problems at once,
 * signals, the run group, exit codes. A service's main.ts hands in its table and its components and nothing else.
 * SIGHUP reads the configuration again for a service that asked for it; what then changes is its business. Others end by it, as ever.
 */
import { ConfigError, describeConfig, readConfig, readConfigFile } from './config';
import type { ConfigOf, ConfigSources, ConfigTable } from './config';
import { createLogger } from './logger';
import type { Logger, LogLevel } from './logger';
import { runGroup } from './run-group';
import { reloads } from './reload';
import type { OnReload } from './reload';
import type { Component } from './run-group';

export interface ProgramContext<C = unknown> {
  readonly logger: Logger;
  readonly version: string;
  /** Asks to be told what SIGHUP found. */
  readonly onReload: OnReload<C>;
}

export interface Program<T extends ConfigTable> {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly table: T;
  readonly logLevel: (config: ConfigOf<T>) => LogLevel;
  /** SIGHUP reads the configuration again (see ProgramContext.onReload) instead of ending the program. */
  readonly reloads?: true;
  readonly components: (
    config: ConfigOf<T>,
    context: ProgramContext<ConfigOf<T>>,
  ) => readonly Component[] | Promise<readonly Component[]>;
}

export interface ProgramProcess {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  /** Aborts on SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Calls for each SIGHUP from now on, and for one that came before; absent in programs that end by it. */
  readonly onHangup?: (listener: () => void) => void;
}

/** A stop that takes longer than this has hung on something; its name is logged. */
const STOP_TIMEOUT_MS = 5_000;
/** EX_CONFIG of sysexits.h. */
const EXIT_CONFIG = 78;

/** @returns the exit code: 0 asked-for end, 1 failure, 2 wrong arguments, 78 wrong configuration. */
export async function runProgram<T extends ConfigTable>(
  program: Program<T>,
  host: ProgramProcess,
): Promise<number> {
  const args = parseArgs(host.args);
  if ('problem' in args) {
    host.printError(`${program.name}: ${args.problem}; see ${program.name} --help`);
    return 2;
  }
  if (args.help) {
    host.print(helpText(program));
    return 0;
  }
  if (args.version) {
    host.print(`${program.name} ${program.version}`);
    return 0;
  }
  try {
    const read = (): ConfigSources => readSources(args.configFile ?? host.env['LPMOS_CONFIG_FILE'], host.env);
    const sources = read();
    if (args.printConfig) {
      readConfig(program.table, sources);
      host.print(describeConfig(program.table, sources));
      return 0;
    }
    const config = readConfig(program.table, sources);
    return await serve({ program, config, host, reread: () => readConfig(program.table, read()) });
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    host.printError(`${program.name}: ${thrown.message}`);
    return EXIT_CONFIG;
  }
}

/** Binds a program to the real process. Ends it only when asked or failed; a hung exit is cut after the stop timeout. */
export async function main<T extends ConfigTable>(
  program: Program<T>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const controller = new AbortController();
  const hangups = program.reloads === true ? earlyHangups() : undefined;
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  const code = await runProgram(program, {
    args: process.argv.slice(2),
    env,
    print: (text) => process.stdout.write(`${text}\n`),
    printError: (text) => process.stderr.write(`${text}\n`),
    signal: controller.signal,
    ...(hangups === undefined ? {} : { onHangup: hangups }),
  });
  process.exitCode = code;
  setTimeout(() => process.exit(code), STOP_TIMEOUT_MS).unref();
}

interface Serving<T extends ConfigTable> {
  readonly program: Program<T>;
  readonly config: ConfigOf<T>;
  readonly host: ProgramProcess;
  readonly reread: () => ConfigOf<T>;
}

/** From the first moment: a reload while the service starts must neither end it nor be forgotten. */
function earlyHangups(): (listener: () => void) => void {
  let missed = false;
  let hear = (): void => {
    missed = true;
  };
  process.on('SIGHUP', () => hear());
  return (listener) => {
    hear = listener;
    if (missed) listener();
  };
}

async function serve<T extends ConfigTable>({ program, config, host, reread }: Serving<T>): Promise<number> {
  const logger = createLogger({ name: program.name, level: program.logLevel(config) });
  const onReload = reloads({ onHangup: host.onHangup ?? (() => undefined), reread, logger });
  try {
    const components = await program.components(config, { logger, version: program.version, onReload });
    await runGroup({
      components,
      logger,
      signal: host.signal,
      stopTimeoutMs: STOP_TIMEOUT_MS,
      onReady: () => logger.info({ version: program.version }, 'ready'),
    });
    logger.info({}, 'stopped');
    return 0;
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw thrown;
    logger.error({ err: thrown }, thrown instanceof Error ? thrown.message : String(thrown));
    return 1;
  }
}

interface Args {
  readonly help: boolean;
  readonly version: boolean;
  readonly printConfig: boolean;
  readonly configFile?: string;
}

function parseArgs(args: readonly string[]): Args | { readonly problem: string } {
  let parsed: Args = { help: false, version: false, printConfig: false };
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] ?? '';
    if (arg === '--help' || arg === '-h') parsed = { ...parsed, help: true };
    else if (arg === '--version') parsed = { ...parsed, version: true };
    else if (arg === '--print-config') parsed = { ...parsed, printConfig: true };
    else if (arg === '--config') {
      const configFile = args[(i += 1)];
      if (configFile === undefined) return { problem: '--config needs a file name' };
      parsed = { ...parsed, configFile };
    } else return { problem: `unknown argument ${arg}` };
  }
  return parsed;
}

function readSources(file: string | undefined, env: ConfigSources['env']): ConfigSources {
  return file === undefined ? { env } : { env, file: readConfigFile(file) };
}

function helpText<T extends ConfigTable>(program: Program<T>): string {
  const settings = Object.values(program.table).map((field) => {
    const fallback =
      field.default === undefined
        ? field.optional === true
          ? 'optional'
          : 'required'
        : `default ${field.default}`;
    return `  ${field.env}\n      ${field.description} (${field.type.describe}; ${fallback})`;
  });
  return [
    `${program.name} — ${program.summary}`,
    '',
    `Usage: ${program.name} [--config FILE] [--print-config] [--version] [--help]`,
    '',
    'Settings, as variables or as lower-case keys without LPMOS_ in a YAML file:',
    ...settings,
    '',
    'Examples:',
    ...program.examples.map((example) => `  ${example}`),
  ].join('\n');
}
