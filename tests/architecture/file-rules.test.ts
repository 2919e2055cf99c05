/** Size, names, headers, skipped tests, environment: the tree obeys, and each rule sees what is planted. */
import { badNames, MOST_LINES, readsEnvironment, skippedTests, tooLong, withoutHeader } from './file-rules';
import { lines, readTree } from './source-tree';
import type { SourceFile, Violation } from './source-tree';

const files = ['packages', 'scripts', 'tests'].flatMap((folder) => readTree(folder));

describe('the repository', () => {
  it.each([
    ['no file that is two ideas', tooLong],
    ['no name that says nothing', badNames],
    ['a header comment in every file', withoutHeader],
    ['no test skipped without a reason', skippedTests],
    ['process.env in config.ts only', readsEnvironment],
  ] as const)('has %s', (_what, rule: (files: readonly SourceFile[]) => Violation[]) => {
    expect(files.length).toBeGreaterThan(50);
    expect(lines(rule(files))).toEqual([]);
  });
});

const planted = (path: string, text = ''): SourceFile[] => [{ path, text }];

describe('a planted violation is found', () => {
  it('a long file, to the line', () => {
    expect(tooLong(planted('packages/x/src/a.ts', 'x\n'.repeat(MOST_LINES)))).toEqual([]);
    expect(tooLong(planted('packages/x/src/a.ts', 'x\n'.repeat(MOST_LINES + 1)))).toHaveLength(1);
  });

  it.each([
    'packages/x/src/utils.ts',
    'packages/x/src/common/a.ts',
    'packages/x/src/task-manager.ts',
    'packages/x/src/string.helpers.ts',
    'packages/x/src/TaskStore.ts',
    'packages/x/src/task_store.ts',
  ])('the name %s', (path) => {
    expect(badNames(planted(path))).toHaveLength(1);
  });

  it.each([
    'packages/x/src/database.ts',
    'packages/x/src/task-store.contract.test.ts',
    'scripts/gen-docs.ts',
  ])('but not the name %s', (path) => {
    expect(badNames(planted(path))).toEqual([]);
  });

  it('a file without a header', () => {
    expect(withoutHeader(planted('packages/x/src/a.ts', "import x from 'y';\n"))).toHaveLength(1);
    expect(withoutHeader(planted('packages/x/src/a.ts', '/** x */\nexport const a = 1;\n'))).toHaveLength(1);
    const header = '/** Says what this file is responsible for. */\nexport const a = 1;\n';
    expect(withoutHeader(planted('packages/x/src/a.ts', header))).toEqual([]);
    const index = "export { a } from './a';\nexport type { B } from './b';\nexport * from './c';\n";
    expect(withoutHeader(planted('packages/x/src/index.ts', index))).toEqual([]);
  });

  it.each([
    'it.skip("x", () => {})',
    'describe.only("x", () => {})',
    'test.todo("x")',
    'it.skip.each([1])("x", () => {})',
    'xit("x", () => {})',
    '  fdescribe("x", () => {})',
    'const maybe = ok ? it : it.skip;',
  ])('a skipped test: %s', (text) => {
    expect(skippedTests(planted('packages/x/src/a.test.ts', text))).toHaveLength(1);
  });

  it.each(['it.each([1])("x", () => {})', 'exit(1)', 'await profit(2)', "say('it.skip');", 'reader.skip(4)'])(
    'but not: %s',
    (text) => {
      expect(skippedTests(planted('packages/x/src/a.test.ts', text))).toEqual([]);
    },
  );

  it('the environment read elsewhere', () => {
    const text = "const a = process.env['X'];";
    expect(readsEnvironment(planted('packages/x/src/a.ts', text))).toHaveLength(1);
    expect(readsEnvironment(planted('packages/x/src/config.ts', text))).toEqual([]);
    expect(readsEnvironment(planted('packages/x/src/a.ts', '// process.env is config.ts alone'))).toEqual([]);
  });
});
