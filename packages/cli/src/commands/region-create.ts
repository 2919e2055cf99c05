/** `lpmos region create`. */
import { parseRegionId } from '@lpmos/core';
import { optionText } from '../command';
import type { CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { note, sayJson } from '../terminal';

export const run: CommandRun = async ({ context, args, options }) => {
  const id = parseRegionId(args[0] ?? '', 'region');
  const name = optionText(options, 'name');
  const api = await context.connect();
  const answer = await api.registerRegion({
    region_id: id,
    ...(name === undefined ? {} : { display_name: name }),
  });
  if (context.format === 'json') sayJson(context.terminal, answer);
  else note(context.terminal, `Region ${id} is registered; start its daemon next.`);
  return EXIT_DONE;
};
