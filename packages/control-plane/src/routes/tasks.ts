/** Thin: from checked input to a use case and from its outcome to a body. */
import { LpmosError } from '@lpmos/core';
import { REVISION_HEADER } from '@lpmos/api';
import type { Answer } from '../http/answer';
import type { Handlers } from '../http/context';
import {
  approvedTaskView,
  createdTaskView,
  listedTaskView,
  rejectedTaskView,
  taskPath,
  taskView,
  timelineEventView,
} from '../http/task-views';
import { approveTask } from '../use-cases/approve-task';
import { cancelTask } from '../use-cases/cancel-task';
import { orderTask } from '../use-cases/create-task';
import { explainTask } from '../use-cases/explain-task';
import { getTask, listTasks } from '../use-cases/read-tasks';
import { rejectTask } from '../use-cases/reject-task';
import type { UseCaseDeps, Written } from '../use-cases/use-case';
import type { TaskRecord } from '@lpmos/core';

type TaskHandlers = Pick<
  Handlers,
  | 'createTask'
  | 'listTasks'
  | 'getTask'
  | 'approveTask'
  | 'rejectTask'
  | 'cancelTask'
  | 'getTaskTimeline'
  | 'explainTask'
>;

/** An approval may be refused with no word; the record needs one. */
const NO_REASON = 'no reason given';

export function taskHandlers(deps: UseCaseDeps): TaskHandlers {
  return {
    async createTask({ body, headers }, context) {
      const written = await orderTask(deps, context, {
        order: body,
        idempotencyKey: headers['idempotency-key'],
      }).catch((thrown: unknown) => {
        linkToTaskInTheWay(thrown, context.response);
        throw thrown;
      });
      const { id } = written.value.metadata;
      return {
        kind: 'json',
        status: 201,
        body: createdTaskView(written.value),
        headers: { ...revisionOf(written), Location: taskPath(id) },
      };
    },
    async listTasks({ query, headers }, context) {
      const minRevision = headers['lpmos-min-revision'];
      const { tasks, total } = await listTasks(deps, context, { query, minRevision });
      const last = tasks.at(-1);
      const isFull = last !== undefined && tasks.length === query.limit;
      const more = isFull && (query.cursor !== undefined || query.offset + tasks.length < total);
      const body = {
        tasks: tasks.map((task) => listedTaskView(task, query.view)),
        total,
        limit: query.limit,
        offset: query.offset,
        ...(more ? { next_cursor: last.metadata.id } : {}),
      };
      return ok(body, { [REVISION_HEADER]: deps.cache.revision });
    },
    async getTask({ params }, context) {
      const task = await getTask(deps, context, params.task_id);
      return ok(taskView(task), { ETag: `"${task.version}"`, [REVISION_HEADER]: task.version });
    },
    async getTaskTimeline({ params }, context) {
      const task = await getTask(deps, context, params.task_id);
      const body = {
        task_id: task.metadata.id,
        status: task.status,
        timeline: task.timeline.map(timelineEventView),
      };
      return ok(body, { [REVISION_HEADER]: task.version });
    },
    async explainTask({ params, headers }, context) {
      const minRevision = headers['lpmos-min-revision'];
      return ok(await explainTask(deps, context, { id: params.task_id, minRevision }));
    },
    async approveTask({ params, headers, body }, context) {
      const id = params.task_id;
      const ifMatch = headers['if-match'];
      if (!body.approved) {
        const written = await rejectTask(deps, context, { id, ifMatch, reason: body.notes || NO_REASON });
        return decided(written, rejectedTaskView(written.value));
      }
      const request = { id, ifMatch, notes: body.notes, targetDisk: body.target_disk };
      const written = await approveTask(deps, context, request);
      return decided(written, approvedTaskView(written.value));
    },
    async rejectTask({ params, headers, body }, context) {
      const request = { id: params.task_id, ifMatch: headers['if-match'], reason: body.reason };
      const written = await rejectTask(deps, context, request);
      return decided(written, rejectedTaskView(written.value));
    },
    async cancelTask({ params, headers }, context) {
      const written = await cancelTask(deps, context, { id: params.task_id, ifMatch: headers['if-match'] });
      return { kind: 'json', status: 204, headers: revisionOf(written) };
    },
  };
}

function ok(body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { kind: 'json', status: 200, body, headers };
}

function decided(written: Written<TaskRecord>, body: unknown): Answer {
  return ok(body, { ...revisionOf(written), ETag: `"${written.value.version}"` });
}

function revisionOf({ revision, value }: Written<TaskRecord>): Readonly<Record<string, string>> {
  return { [REVISION_HEADER]: revision ?? value.version };
}

/** RFC 8288: where to look at the active task of the machine. */
function linkToTaskInTheWay(
  thrown: unknown,
  response: { setHeader(name: string, value: string): unknown },
): void {
  if (!(thrown instanceof LpmosError) || thrown.code !== 'already_exists') return;
  const id = thrown.details['task_id'];
  if (typeof id === 'string') response.setHeader('Link', `<${taskPath(id)}>; rel="related"`);
}
