/** `lpmos task cancel`. A task that is installing is cancelled at the next safe point, so the word is "asked for" until it is. */
import type { CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { resolveTask } from '../task-reference';
import { note, sayJson } from '../terminal';

export const run: CommandRun = async ({ context, args }) => {
  const api = await context.connect();
  const id = await resolveTask(api, args[0] ?? '');
  await api.cancelTask(id);
  const { status } = await api.getTask(id);
  if (context.format === 'json') sayJson(context.terminal, { task_id: id, status });
  else if (status === 'cancelled') note(context.terminal, `Cancelled task ${id}.`);
  else
    note(
      context.terminal,
      `Cancellation of task ${id} is asked for; it is ${status} and stops at the next safe point.`,
    );
  return EXIT_DONE;
};
