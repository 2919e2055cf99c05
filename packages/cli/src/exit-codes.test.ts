import { ERROR_CODES, ERROR_TABLE } from '@lpmos/core';
import { exitCodeTable, TASK_END_EXIT } from './exit-codes';

describe('exit codes', () => {
  it('documents every code of the error table once', () => {
    const rows = exitCodeTable();
    for (const code of ERROR_CODES) {
      expect(rows.filter((row) => row.meaning.split(', ').includes(code)).map((row) => row.exit)).toEqual([
        ERROR_TABLE[code].exit,
      ]);
    }
    expect(new Set(rows.map((row) => row.exit)).size).toBe(rows.length);
  });

  it('keeps the ends of a watched task apart from errors', () => {
    const errors = new Set<number>(ERROR_CODES.map((code) => ERROR_TABLE[code].exit));
    for (const exit of Object.values(TASK_END_EXIT)) expect(errors.has(exit)).toBe(false);
  });
});
