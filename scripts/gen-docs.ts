/**
 * Writes the pages of docs/ that are made from code. `--check` writes nothing and exits 1 when a page is not what the code says.
 * One renderer a page in scripts/docs; a test runs them too, so a stale page cannot be merged.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { renderPages } from './docs/pages';

const ROOT = join(__dirname, '..');

function current(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch {
    return undefined;
  }
}

const stale = renderPages().filter((page) => current(page.path) !== page.text);
if (process.argv.includes('--check')) {
  for (const { path } of stale) console.error(`${path} is stale; run: pnpm run gen:docs`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const { path, text } of stale) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
    console.log(`wrote ${path}`);
  }
}
