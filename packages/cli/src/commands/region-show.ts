/** `lpmos region show`. */
import type { CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { documentLines } from '../output/document';
import { say, sayJson } from '../terminal';

export const run: CommandRun = async ({ context, args }) => {
  const api = await context.connect();
  const region = await api.getRegion(args[0] ?? '');
  if (context.format === 'json') sayJson(context.terminal, region);
  else for (const line of documentLines(region)) say(context.terminal, line);
  return EXIT_DONE;
};
