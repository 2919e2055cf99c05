/**
 * Whether a Node version satisfies an `engines.node` range: the part of node-semver's grammar that packages use there
 * (comparators, hyphen ranges, ^, ~, x-ranges, ||). Small on purpose: a range it cannot read is an error, not a yes.
 */
type Version = readonly [number, number, number];

/** @throws Error naming the range when it is not understood. */
export function satisfies(version: string, range: string): boolean {
  const at = parse(version);
  return range.split('||').some((part) => comparators(part.trim(), range).every((holds) => holds(at)));
}

type Check = (version: Version) => boolean;

function comparators(part: string, range: string): Check[] {
  const hyphen = /^(\S+)\s+-\s+(\S+)$/.exec(part);
  if (hyphen !== null) {
    return [atLeast(parse(hyphen[1] ?? '')), below(next(hyphen[2] ?? ''))];
  }
  const words = part.replace(/(>=|<=|>|<|=|\^|~>?)\s+/g, '$1').split(/\s+/);
  return words.flatMap((word) => comparator(word, range));
}

function comparator(word: string, range: string): Check[] {
  if (word === '' || word === '*' || word === 'x') return [];
  const [, operator = '', text = ''] =
    /^(>=|<=|>|<|=|\^|~>?)?v?([\dx*]+(?:\.[\dx*]+){0,2})(?:-[\w.]+)?$/.exec(word) ?? [];
  if (text === '') throw new Error(`cannot read the range "${range}"`);
  const version = parse(text);
  const [major, minor] = version;
  switch (operator) {
    case '>=':
      return [atLeast(version)];
    case '>':
      return [atLeast(next(text))];
    case '<':
      return [below(version)];
    case '<=':
      return [below(next(text))];
    case '^':
      return [atLeast(version), below(major > 0 ? [major + 1, 0, 0] : [0, minor + 1, 0])];
    case '~':
    case '~>':
      return [atLeast(version), below([major, minor + 1, 0])];
    default:
      return [atLeast(version), below(next(text))];
  }
}

/** `20` is 20.0.0, and so is `20.x`. */
function parse(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = text
    .split('.')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : 0));
  return [major, minor, patch];
}

/** The first version after all that the text means: 20 → 21.0.0, 20.1 → 20.2.0, 20.1.3 → 20.1.4. */
function next(text: string): Version {
  const [major, minor, patch] = parse(text);
  const given = text.split('.').filter((part) => /^\d+$/.test(part)).length;
  if (given <= 1) return [major + 1, 0, 0];
  return given === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

const atLeast =
  (low: Version): Check =>
  (version) =>
    compare(version, low) >= 0;
const below =
  (high: Version): Check =>
  (version) =>
    compare(version, high) < 0;
