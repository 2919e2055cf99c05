/** What the quickstart refuses before it begins: minutes of building must not end in a question that nobody can answer. */
import { needsTerminal, parseQuickstartArgs } from '../../scripts/quickstart/arguments';

it.each<[string, boolean, boolean]>([
  ['', false, true],
  ['', true, false],
  ['--yes', false, false],
  ['--simulate', false, true],
  ['--simulate --machines 20', false, false],
  ['--machines 20', false, true],
])('"%s" with a terminal: %s; refused: %s', (words, canAsk, refused) => {
  const args = parseQuickstartArgs(words.split(' ').filter((word) => word !== ''));
  if ('problem' in args) throw new Error(args.problem);
  expect(needsTerminal(args, canAsk) !== undefined).toBe(refused);
});
