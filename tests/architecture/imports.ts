/** What a file imports, read from its text: static imports, re-exports, dynamic imports and require. Comments are blanked out first. */
export interface Import {
  readonly specifier: string;
  /** `import type` or `export type`: gone at run time. */
  readonly typeOnly: boolean;
  /** `import()` or `require()`: loaded when it is reached. */
  readonly lazy: boolean;
  /** Names in braces, without `type`; empty for other forms. */
  readonly names: readonly string[];
}

const STATIC = /(?:^|[\n;])\s*(import|export)\s+(type\s+)?([^'";()]*?)\s*from\s*['"]([^'"]+)['"]/g;
const SIDE_EFFECT = /(?:^|[\n;])\s*import\s*['"]([^'"]+)['"]/g;
const DYNAMIC = /\b(?:import|require)\s*\(\s*['"`]([^'"`]+)['"`]/g;

export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const fixed = [...code.matchAll(STATIC)].map(([, , type, clause, specifier]) => ({
    specifier: specifier ?? '',
    typeOnly: type !== undefined,
    lazy: false,
    names: namesIn(clause ?? ''),
  }));
  const bare = (pattern: RegExp, lazy: boolean): Import[] =>
    [...code.matchAll(pattern)].map(([, specifier]) => ({
      specifier: specifier ?? '',
      typeOnly: false,
      lazy,
      names: [],
    }));
  return [...fixed, ...bare(SIDE_EFFECT, false), ...bare(DYNAMIC, true)];
}

function namesIn(clause: string): string[] {
  const braces = /\{([^}]*)\}/.exec(clause)?.[1];
  if (braces === undefined) return [];
  return braces
    .split(',')
    .map(
      (name) =>
        name
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/)[0] ?? '',
    )
    .filter((name) => name !== '');
}

/** Only comments that begin a line are blanked: enough for prettier's layout, and safe for `//` inside strings. */
function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, '').replace(/^[ \t]*\/\/.*$/gm, '');
}
