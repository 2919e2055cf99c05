import { documentLines } from './document';
import { table } from './table';

describe('documentLines', () => {
  it('indents, aligns, and leaves out nulls', () => {
    const lines = documentLines({
      whose_move: 'operator',
      stalled: false,
      region: { online: true, id: 'dc1' },
      services: ['dhcp', 'tftp'],
      none: [],
      gone: null,
    });
    expect(lines).toEqual([
      'whose move  operator',
      'stalled     no',
      'region',
      '  online  yes',
      '  id      dc1',
      'services  dhcp, tftp',
      'none      none',
    ]);
  });
});

describe('table', () => {
  it('aligns columns and leaves no space at the end of a line', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['wide cell', 'x'],
          ['y', ''],
        ],
      ),
    ).toEqual(['A          LONG', 'wide cell  x', 'y']);
  });
});
