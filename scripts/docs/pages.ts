/** All generated pages, for gen-docs.ts and for the test that compares them with what is committed. */
import { hostname } from 'node:os';
import type { ConfigTable } from '@lpmos/runtime';
// Config tables are no part of a service's public surface; documentation alone reads them from outside.
import * as controlPlane from '../../packages/control-plane/src/config';
import * as regionalDaemon from '../../packages/regional-daemon/src/config';
import * as simulator from '../../packages/simulator/src/config';
import { apiPage } from './api';
import { cliPage } from './cli';
import { configurationPage } from './configuration';
import { conformancePage } from './conformance-page';
import { errorsPage } from './errors';
import type { Page } from './page';
import { taskLifePage } from './task-life';
import { rulesInTitles } from '../../tests/architecture/rule-titles';
import { readTree } from '../../tests/architecture/source-tree';
import { RULE_CHAPTERS } from '../../tests/conformance/rules';
import { DHCP_REFERENCE_ROWS } from '../../tests/conformance/rules/dhcp-references';

export function renderPages(): Page[] {
  const programs = [
    { program: 'lpmos-control-plane', table: tableOf(controlPlane) },
    { program: 'lpmos-regional-daemon', table: tableOf(regionalDaemon) },
    { program: 'lpmos-simulator', table: tableOf(simulator) },
  ];
  const titles = rulesInTitles(['packages', 'tests'].flatMap((folder) => readTree(folder)));
  return [
    taskLifePage(),
    errorsPage(),
    apiPage(),
    cliPage(),
    configurationPage(programs, hostname()),
    conformancePage({ chapters: RULE_CHAPTERS, tests: titles, references: DHCP_REFERENCE_ROWS }),
  ];
}

/** The table that a config.ts exports, whatever its name. */
function tableOf(exports: Readonly<Record<string, unknown>>): ConfigTable {
  const table = Object.values(exports).find(isTable);
  if (table === undefined) throw new Error('a config.ts without a table made by defineConfig');
  return table;
}

function isTable(value: unknown): value is ConfigTable {
  if (typeof value !== 'object' || value === null) return false;
  const fields: unknown[] = Object.values(value);
  return (
    fields.length > 0 &&
    fields.every((field) => typeof field === 'object' && field !== null && 'env' in field && 'type' in field)
  );
}
