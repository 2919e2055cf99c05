/** The body of one `task` event: enough to draw the task, and where to look for the rest. */
import type { TaskRecord } from '@lpmos/core';
import type { TaskEventData } from '@lpmos/api';
import { timelineEventView } from '../http/task-views';

export function taskEventView(task: TaskRecord, revision: string): TaskEventData {
  const { metadata, status, version, run, progress, error } = task;
  const latest = task.timeline.at(-1);
  return {
    task_id: metadata.id,
    region_id: metadata.region_id,
    status,
    version,
    revision,
    attempt: run.attempt,
    ...(run.waiting_for === undefined ? {} : { waiting_for: run.waiting_for }),
    ...(latest === undefined ? {} : { latest: timelineEventView(latest) }),
    ...(progress === undefined ? {} : { progress }),
    ...(error === undefined
      ? {}
      : { error: { class: error.class, message: error.message, at: error.at, attempt: error.attempt } }),
  };
}
