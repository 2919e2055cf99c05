/**
 * The parser: commander built from the command table. Says nothing and exits nowhere itself: output goes to the terminal it is given,
 * and ends come back as exit codes (cli.ts). Loads no command body, so that help is instant.
 */
import { Command, Option } from 'commander';
import packageJson from '../package.json';
import type { CommandOptions, CommandSpec, OptionSpec } from './command';
import { COMMANDS, NOUNS } from './command-table';
import { CLI_VARIABLES } from './config';
import { exitCodeTable } from './exit-codes';
import type { Terminal } from './terminal';

export const DEFAULT_URL = 'http://127.0.0.1:8080';
const DEFAULT_TIMEOUT = '30s';

export interface Invocation {
  readonly spec: CommandSpec;
  readonly args: readonly string[];
  readonly options: CommandOptions;
  readonly globals: CommandOptions;
}

export interface ProgramOptions {
  readonly terminal: Pick<Terminal, 'stdout' | 'stderr'>;
  readonly onCommand: (invocation: Invocation) => Promise<void>;
}

export function buildProgram({ terminal, onCommand }: ProgramOptions): Command {
  const program = new Command('lpmos')
    .description('Install machines over the network, in any region, after somebody approved.')
    .version(`lpmos ${packageJson.version}`, '-V, --version')
    .option('--url <url>', `the control plane (LPMOS_URL; default ${DEFAULT_URL})`)
    .option('--token <token>', 'bearer token (LPMOS_TOKEN); a file is safer')
    .option('--token-file <file>', 'file that holds the token (LPMOS_TOKEN_FILE)')
    .addOption(
      new Option('-o, --output <format>', 'table for people, json for programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .option('--timeout <duration>', 'longest wait for one answer', DEFAULT_TIMEOUT)
    .addHelpText('after', `\n${afterHelp()}`)
    .showSuggestionAfterError(true);
  quiet(program, 'lpmos', terminal);
  for (const [noun, description] of Object.entries(NOUNS)) {
    const group = program.command(noun).description(description);
    quiet(group, `lpmos ${noun}`, terminal);
    for (const spec of COMMANDS.filter((each) => each.noun === noun)) {
      addCommand({ group, spec, terminal, onCommand });
    }
  }
  for (const spec of COMMANDS.filter(({ noun }) => noun === '')) {
    addCommand({ group: program, spec, terminal, onCommand });
  }
  return program;
}

interface AddCommand extends ProgramOptions {
  readonly group: Command;
  readonly spec: CommandSpec;
}

function addCommand({ group, spec, terminal, onCommand }: AddCommand): void {
  const command = group
    .command(spec.verb)
    .summary(spec.summary)
    .description(spec.more === undefined ? spec.summary : `${spec.summary}\n${spec.more}`)
    .addHelpText('after', `\nExamples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}`)
    .allowExcessArguments(false);
  quiet(command, ['lpmos', spec.noun, spec.verb].filter((word) => word !== '').join(' '), terminal);
  for (const argument of spec.args) command.argument(`<${argument.name}>`, argument.description);
  for (const option of spec.options) command.addOption(commanderOption(option));
  command.action(async () => {
    const { args } = command;
    await onCommand({ spec, args, options: command.opts(), globals: (group.parent ?? group).opts() });
  });
}

function commanderOption(spec: OptionSpec): Option {
  const option = new Option(
    spec.flags,
    spec.repeatable === true ? `${spec.description} (repeatable)` : spec.description,
  );
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.repeatable === true) {
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  return option.makeOptionMandatory(spec.required === true);
}

/** Throws instead of exiting, and writes where it is told. @param words the command as it is typed */
function quiet(command: Command, words: string, terminal: ProgramOptions['terminal']): void {
  command.showHelpAfterError(`see ${words} --help`);
  command.exitOverride().configureOutput({
    writeOut: (text) => terminal.stdout.write(text),
    writeErr: (text) => terminal.stderr.write(text),
    getOutHelpWidth: () => terminal.stdout.columns,
    getErrHelpWidth: () => terminal.stderr.columns,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
}

function afterHelp(): string {
  const variables = CLI_VARIABLES.map(({ env, description }) => `  ${env.padEnd(21)}${description}`);
  const codes = exitCodeTable().map(({ exit, meaning }) => `  ${String(exit).padEnd(5)}${meaning}`);
  const firsts = COMMANDS.map(({ examples }) => `  ${examples[0] ?? ''}`);
  return ['Variables:', ...variables, '', 'Exit codes:', ...codes, '', 'Examples:', ...firsts].join('\n');
}
