/** `lpmos task show`: the approver's page. */
import { optionText } from '../command';
import type { CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { taskPage } from '../output/task-page';
import { findTargetDisk } from '../target-disk';
import { resolveTask } from '../task-reference';
import { painter, say, sayJson } from '../terminal';

export const run: CommandRun = async ({ context, args, options }) => {
  const api = await context.connect();
  const task = await api.getTask(await resolveTask(api, args[0] ?? ''));
  if (context.format === 'json') {
    sayJson(context.terminal, task);
    return EXIT_DONE;
  }
  const target = await findTargetDisk(api, task, optionText(options, 'disk'));
  const page = taskPage({ task, target, nowMs: context.nowMs(), paint: painter(context.terminal) });
  for (const line of page) say(context.terminal, line);
  return EXIT_DONE;
};
