/** docs/configuration.md: every setting of every program, from their config tables. */
import { fileKey } from '@lpmos/runtime';
import type { ConfigField, ConfigTable } from '@lpmos/runtime';
import { code, markdownTable, page } from './page';
import type { Page } from './page';

export interface ProgramSettings {
  readonly program: string;
  readonly table: ConfigTable;
}

/** @param hostName of this machine: a default that is taken from it must not end up in the page. */
export function configurationPage(programs: readonly ProgramSettings[], hostName: string): Page {
  return page(
    'docs/configuration.md',
    'Configuration',
    'Each program reads its settings once, at start, from (later wins) defaults, a YAML file named by `--config` or `LPMOS_CONFIG_FILE`, and variables. ' +
      'The key in the file is the name in lower case without `LPMOS_`. All problems are reported together; an unknown `LPMOS_*` name or key is one of them. ' +
      'Secrets come as files. `--print-config` shows what a program would use.',
    ...programs.map(({ program, table }) => programBlock(program, table, hostName)),
  );
}

function programBlock(program: string, table: ConfigTable, hostName: string): string {
  const rows = Object.values(table).map((field) => [
    code(field.env),
    code(fileKey(field)),
    field.description,
    field.type.describe,
    fallback(field, hostName),
  ]);
  return [`## ${program}`, markdownTable(['variable', 'key in the file', 'meaning', 'value', 'default'], rows)].join('\n\n');
}

function fallback(field: ConfigField, hostName: string): string {
  if (field.default === undefined) return field.optional === true ? 'optional' : '**required**';
  if (field.default === '') return 'empty';
  return field.default === hostName ? 'the host name' : code(field.default);
}
