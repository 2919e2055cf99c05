/**
 * The only way to leave tests out: with a reason that is printed, so that a green run says what it did not prove.
 * `itWhen(undefined)` is `it`; `itWhen('no KVM here')` registers the tests as skipped and says why.
 */
export function itWhen(missing: string | undefined): jest.It {
  if (missing === undefined) return it;
  sayWhy(missing);
  return it.skip;
}

export function describeWhen(missing: string | undefined): jest.Describe {
  if (missing === undefined) return describe;
  sayWhy(missing);
  return describe.skip;
}

function sayWhy(missing: string): void {
  process.stderr.write(`skipped: ${missing}\n`);
}
