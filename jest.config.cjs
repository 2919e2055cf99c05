const base = {
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  moduleFileExtensions: ['ts', 'js', 'cjs', 'json'],
  testEnvironment: 'node',
};
const project = (displayName, testMatch) => ({ ...base, displayName, testMatch });

/** One project per kind of test, from pure functions to machines that boot. */
module.exports = {
  testTimeout: 30_000,
  projects: [
    project('unit', ['<rootDir>/packages/*/src/**/*.test.ts']),
    project('architecture', ['<rootDir>/tests/architecture/**/*.test.ts']),
    project('integration', ['<rootDir>/tests/integration/**/*.test.ts']),
    project('conformance', ['<rootDir>/tests/conformance/**/*.test.ts']),
    project('chaos', ['<rootDir>/tests/chaos/**/*.test.ts']),
    project('e2e', ['<rootDir>/tests/e2e/**/*.test.ts']),
  ],
};
