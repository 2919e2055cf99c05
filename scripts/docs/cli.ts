/** docs/cli.md: the command line, from its own definitions. */
import { buildProgram, CLI_VARIABLES, COMMANDS, commandWords, exitCodeTable, renderExamplePage } from '@lpmos/cli';
import { code, fence, markdownTable, page } from './page';
import type { Page } from './page';

/** A width of its own, so that the page does not depend on whose terminal made it. */
const COLUMNS = 100;

export function cliPage(): Page {
  const sink = { write: () => undefined, isTTY: false, columns: COLUMNS };
  const program = buildProgram({
    terminal: { stdout: sink, stderr: sink },
    onCommand: () => Promise.resolve(),
  });
  const globals = program.options.map((option) => [code(option.flags), option.description, defaultText(option.defaultValue)]);
  return page(
    'docs/cli.md',
    'The command line',
    'Tables are for people, `-o json` is for programs. stdout carries data alone; everything said about the work is on stderr. ' +
      'A task may be named by its id, by any unique start of it (or of the part after its region tag, at least 4 digits), or as `@latest`.',
    '## What an approver sees',
    '`lpmos task approve` shows this page, asks, and approves exactly the version that was shown:',
    fence('text', renderExamplePage()),
    '## Options of every command',
    markdownTable(['option', 'meaning', 'default'], globals),
    markdownTable(
      ['variable', 'meaning'],
      CLI_VARIABLES.map(({ env, description }) => [code(env), description]),
    ),
    '## Exit codes',
    markdownTable(
      ['code', 'meaning'],
      exitCodeTable().map(({ exit, meaning }) => [String(exit), meaning]),
    ),
    '## Commands',
    ...COMMANDS.map(commandBlock),
  );
}

function commandBlock(spec: (typeof COMMANDS)[number]): string {
  const usage = ['lpmos', ...commandWords(spec), ...spec.args.map(({ name }) => `<${name}>`)].join(' ');
  const rows = [
    ...spec.args.map(({ name, description }) => [code(`<${name}>`), description, '']),
    ...spec.options.map((option) => [
      code(option.flags),
      option.description + (option.required === true ? ' (required)' : '') + (option.repeatable === true ? ' (repeatable)' : ''),
      defaultText(option.default),
    ]),
  ];
  return [
    `### ${usage}`,
    `${capital(spec.summary)}.${spec.more === undefined ? '' : ` ${spec.more}`}`,
    ...(rows.length === 0 ? [] : [markdownTable(['argument or option', 'meaning', 'default'], rows)]),
    fence('sh', spec.examples.join('\n')),
  ].join('\n\n');
}

function defaultText(value: unknown): string {
  return typeof value === 'string' ? code(value) : '';
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
