/** docs/conformance.md: every rule of the boot protocols, where it is written, who shows it, and the tests that name it. Pure. */
import type { ConformanceRule } from '../../tests/conformance/rules/rule';
import { code, markdownTable, page } from './page';
import type { Page } from './page';

export interface ConformanceChapter {
  readonly title: string;
  readonly rules: readonly ConformanceRule[];
}

/** @param tests rule id → test files that name it */
export function conformancePage(
  chapters: readonly ConformanceChapter[],
  tests: ReadonlyMap<string, readonly string[]>,
): Page {
  const rules = chapters.flatMap((chapter) => chapter.rules);
  const remarks = rules.filter((rule) => rule.remark !== undefined);
  return page(
    'docs/conformance.md',
    'Conformance of the boot services',
    `${rules.length} rules, each with a test that names it; ${code('npm test -- conformance')} runs them. A rule whose clients are foreign programs ` +
      'was shown with them on real sockets; *dnsmasq as reference* means that the same test passes against dnsmasq, so that the test is fair.',
    ...chapters.flatMap(({ title, rules: rows }) => [
      `## ${title}`,
      markdownTable(
        ['rule', 'what must hold', 'specification', 'clients', 'tests'],
        rows.map(({ id, rule, specification, clients }) => [
          id,
          rule,
          specification,
          clients.join(', '),
          (tests.get(id) ?? []).map((path) => `[${name(path)}](../${path})`).join(', '),
        ]),
      ),
    ]),
    '## Where LPMOS differs',
    ...remarks.map(({ id, remark }) => `**${id}**: ${remark ?? ''}`),
  );
}

function name(path: string): string {
  return (path.split('/').at(-1) ?? path).replace('.test.ts', '');
}
