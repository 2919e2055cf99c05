/** `lpmos task list`. */
import { isTaskStatus, TASK_STATUS_NAMES } from '@lpmos/core';
import { optionCount, optionList, optionText } from '../command';
import type { CommandRun } from '../command';
import type { TaskSummary } from '../control-plane';
import { EXIT_DONE } from '../exit-codes';
import { table } from '../output/table';
import { splitTag } from '../tag';
import { note, say, sayJson } from '../terminal';
import { invalidOption } from '../usage-error';

export const run: CommandRun = async ({ context, options }) => {
  const statuses = optionList(options, 'status').flatMap((text) => text.split(','));
  const wrong = statuses.find((status) => !isTaskStatus(status));
  if (wrong !== undefined) {
    throw invalidOption('--status', `must be one of ${TASK_STATUS_NAMES.join(', ')}, not "${wrong}"`);
  }
  const region = optionText(options, 'region');
  const mac = optionText(options, 'mac');
  const limit = optionCount(options, { name: 'limit', min: 1, max: 200 });
  const offset = optionCount(options, { name: 'offset', min: 0, max: 10_000_000 });
  const api = await context.connect();
  const page = await api.listTasks({
    limit,
    offset,
    statuses,
    tags: Object.fromEntries(optionList(options, 'tag').map(splitTag)),
    view: 'full',
    ...(region === undefined ? {} : { regionId: region }),
    ...(mac === undefined ? {} : { targetMac: mac }),
  });
  if (context.format === 'json') {
    sayJson(context.terminal, page);
    return EXIT_DONE;
  }
  for (const line of table(['TASK', 'STATUS', 'REGION', 'MACHINE', 'OS', 'CREATED'], page.tasks.map(row))) {
    say(context.terminal, line);
  }
  const shown = offset + page.tasks.length;
  if (shown < page.total) {
    note(context.terminal, `${page.tasks.length} of ${page.total} tasks; more with --offset ${shown}`);
  }
  return EXIT_DONE;
};

function row(task: TaskSummary): string[] {
  const os = `${task.os_type ?? ''} ${task.os_version ?? ''}`.trim();
  return [task.task_id, task.status, task.region_id, task.target_mac ?? '', os, task.created_at];
}
