/**
 * Lint carries the architecture (arrows between packages are tests/architecture). One config, no presets to chase:
 * every rule here is one we hold on purpose. A suppression names its reason beside it.
 */
import tseslint from 'typescript-eslint';

const DEFAULT_EXPORT = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name: a name found once is found everywhere.',
};
const PROCESS_ENV = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'Read process.env in config.ts only, once, and pass values on.',
};
const IMPORT_META = {
  selector: 'MetaProperty[meta.name="import"]',
  message: 'Sources are bundled to CommonJS, where import.meta is empty.',
};
const EVERYWHERE = [DEFAULT_EXPORT, PROCESS_ENV, IMPORT_META];

/** `core` has no clock, no randomness and no I/O: they are passed in. */
const CORE_ONLY = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'core has no clock: take the time as an argument.',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'core has no clock: take the time as an argument.',
  },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'core has no randomness: take random bytes as an argument.',
  },
  {
    selector: 'Identifier[name=/^(setTimeout|setInterval|setImmediate|fetch|process|Buffer|crypto)$/]',
    message: 'core has no I/O and no Node API: take it as an argument.',
  },
];

/** Contract suites and test data are surfaces of their own, for tests alone. */
const deepImports = (exceptions) => ({
  patterns: [
    {
      regex: `^@lpmos/[^/]+/${exceptions}`,
      message: 'Import a package by its name; src/index.ts is its public surface.',
    },
    {
      // Config tables are read by the documentation generator and are no public surface.
      regex: '(^|/)packages/[^/]+/(?!src/config$)',
      message: 'Import a package by its name, @lpmos/…, never by its folder.',
    },
  ],
});

const TESTS = [
  '**/*.test.ts',
  'tests/**/*.ts',
  'packages/store/src/contract/**/*.ts',
  'packages/*/src/testing/**/*.ts',
];

export default tseslint.config(
  {
    ignores: ['**/node_modules/**', '**/dist/**', '.cache/**', 'packages/proto/src/gen/**', 'coverage/**'],
  },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: {
        project: './tsconfig.json',
        tsconfigRootDir: import.meta.dirname ?? process.cwd(),
      },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-require-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-console': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-fallthrough': 'error',
      'no-unsafe-finally': 'error',
      'no-restricted-syntax': ['error', ...EVERYWHERE],
      'no-restricted-imports': ['error', deepImports('')],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      // About 40 is the aim; a factory whose methods are closures over one state counts as one function.
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
    },
  },
  {
    files: ['packages/core/src/**/*.ts'],
    ignores: TESTS,
    rules: { 'no-restricted-syntax': ['error', ...EVERYWHERE, ...CORE_ONLY] },
  },
  {
    files: ['**/config.ts'],
    rules: { 'no-restricted-syntax': ['error', DEFAULT_EXPORT, IMPORT_META] },
  },
  {
    // A describe block is one function however many cases it holds; a test may reach for the environment to spawn a process.
    files: TESTS,
    rules: {
      'max-lines-per-function': 'off',
      'max-lines': ['error', { max: 600, skipBlankLines: true, skipComments: true }],
      'max-params': 'off',
      'no-restricted-imports': ['error', deepImports('(?!(?:contract|testing)$)')],
      'no-restricted-syntax': ['error', DEFAULT_EXPORT, IMPORT_META],
    },
  },
  {
    // Scripts talk to a person at a terminal and run other programs with this one's environment.
    files: ['scripts/**/*.ts'],
    rules: { 'no-console': 'off', 'no-restricted-syntax': ['error', DEFAULT_EXPORT, IMPORT_META] },
  },
);
