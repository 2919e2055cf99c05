/** docs/conformance.md: every rule of the boot protocols, where it is written, who shows it, and the tests that name it. Pure. */
import type { DhcpReferenceName } from '../../tests/conformance/harness/dhcp-reference';
import type { ReferenceVerdict } from '../../tests/conformance/rules/dhcp-references';
import type { ConformanceRule } from '../../tests/conformance/rules/rule';
import { code, markdownTable, page } from './page';
import type { Page } from './page';

export interface ConformanceChapter {
  readonly title: string;
  readonly rules: readonly ConformanceRule[];
}

export interface ConformanceSources {
  readonly chapters: readonly ConformanceChapter[];
  /** Rule id → test files that name it. */
  readonly tests: ReadonlyMap<string, readonly string[]>;
  /** Rule id → what other servers make of the rule. */
  readonly references: Readonly<Record<string, Readonly<Partial<Record<DhcpReferenceName, ReferenceVerdict>>>>>;
}

export function conformancePage({ chapters, tests, references }: ConformanceSources): Page {
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
    '## The same DHCP tests against dnsmasq and Kea',
    'Each run asks dnsmasq 2.90 and Kea 2.2, told the same link, with the very tests of these rules. Who keeps a rule passes its test, which shows that the ' +
      'test is fair; who does not fails it, for the reason given. An empty field cannot be asked on the wire of the tests.',
    markdownTable(
      ['rule', 'dnsmasq', 'Kea'],
      Object.entries(references).map(([id, row]) => [id, row.dnsmasq ?? '', row.kea ?? '']),
    ),
  );
}

function name(path: string): string {
  return (path.split('/').at(-1) ?? path).replace('.test.ts', '');
}
