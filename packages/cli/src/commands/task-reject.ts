/** `lpmos task reject`. */
import { requiredText } from '../command';
import type { CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { resolveTask } from '../task-reference';
import { note, sayJson } from '../terminal';

export const run: CommandRun = async ({ context, args, options }) => {
  const api = await context.connect();
  const id = await resolveTask(api, args[0] ?? '');
  const answer = await api.rejectTask(id, { reason: requiredText(options, 'reason') });
  if (context.format === 'json') sayJson(context.terminal, answer);
  else note(context.terminal, `Rejected task ${id}; the disk was not touched.`);
  return EXIT_DONE;
};
