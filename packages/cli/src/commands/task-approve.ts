/**
 * `lpmos task approve`: shows what will be destroyed, asks, and approves exactly the version that was shown. Without a terminal
 * it wants --yes: a script that forgot to think must not destroy a disk.
 */
import { LpmosError } from '@lpmos/core';
import { optionText } from '../command';
import type { CommandContext, CommandRun } from '../command';
import type { TaskDocument } from '../control-plane';
import { EXIT_DECLINED, EXIT_DONE } from '../exit-codes';
import { taskPage } from '../output/task-page';
import { findTargetDisk } from '../target-disk';
import type { TargetDisk } from '../target-disk';
import { resolveTask } from '../task-reference';
import { note, painter, printable, sayJson } from '../terminal';
import { invalidOption } from '../usage-error';

export const run: CommandRun = async ({ context, args, options }) => {
  const yes = options['yes'] === true;
  if (!yes && !context.terminal.canAsk) {
    throw invalidOption('--yes', 'is needed when there is no terminal to ask on');
  }
  const selector = optionText(options, 'disk');
  const notes = optionText(options, 'notes');
  const api = await context.connect();
  const task = await api.getTask(await resolveTask(api, args[0] ?? ''));
  const target = await findTargetDisk(api, task, selector);
  show(context, task, target);
  requireApprovable(task, target);
  if (!yes && !(await confirmed(context, target))) {
    note(context.terminal, 'Not approved; nothing was changed.');
    return EXIT_DECLINED;
  }
  const answer = await api.approveTask(
    task.task_id,
    {
      approved: true,
      ...(notes === undefined ? {} : { notes }),
      ...(selector === undefined ? {} : { target_disk: selector }),
    },
    { ifVersion: task.version },
  );
  if (context.format === 'json') sayJson(context.terminal, answer);
  else note(context.terminal, `Approved. Follow it with: lpmos task watch ${task.task_id}`);
  return EXIT_DONE;
};

/** To stderr: with -o json, stdout is the answer alone. */
function show(context: CommandContext, task: TaskDocument, target: TargetDisk | undefined): void {
  const page = taskPage({ task, target, nowMs: context.nowMs(), paint: painter(context.terminal) });
  for (const line of page) note(context.terminal, line);
  note(context.terminal, '');
}

function requireApprovable(task: TaskDocument, target: TargetDisk | undefined): asserts target is TargetDisk {
  if (task.status !== 'pending_approval' || target === undefined) {
    throw new LpmosError({
      code: 'not_allowed_in_state',
      message: `Task ${task.task_id} is ${task.status}; it can be approved in pending_approval, once its hardware is reported`,
    });
  }
  if ('problem' in target) {
    throw new LpmosError({
      code: 'not_allowed_in_state',
      message: `No disk can be approved: ${target.problem}; choose with --disk serial=…`,
    });
  }
}

async function confirmed(context: CommandContext, target: TargetDisk): Promise<boolean> {
  const name =
    'disk' in target ? `${target.disk.device} (serial ${target.disk.serial || target.disk.wwn})` : 'the disk';
  const answer = await context.terminal.ask(
    `Approve, and destroy everything on ${printable(name)}? Type yes: `,
  );
  return answer.trim().toLowerCase() === 'yes';
}
