/** The pages made from code are what the code says now. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderPages } from '../../scripts/docs/pages';
import { ROOT } from './source-tree';

const pages = renderPages();

it.each(pages.map(({ path, text }) => [path, text] as const))(
  '%s is fresh (else run pnpm run gen:docs)',
  (path, text) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text);
  },
);

it('renders the same bytes twice', () => {
  expect(renderPages()).toEqual(pages);
});
