/** docs/task-life.md: the state machine as a drawing and as tables, from core's tables. */
import { eventRow, INSTALL_SILENCE_SECONDS, statusRow, TASK_EVENT_NAMES, TASK_STATUS_NAMES } from '@lpmos/core';
import type { TaskEventName, TaskStatus } from '@lpmos/core';
import { code, codes, fence, markdownTable, page, seconds } from './page';
import type { Page } from './page';

export function taskLifePage(): Page {
  return page(
    'docs/task-life.md',
    'The life of a task',
    'A task is one order to install one machine. It is always in one of these states, and moves only along the edges drawn here; ' +
      'every other pair of state and event is refused. No edge leaves a terminal state.',
    fence('mermaid', diagram()),
    '## States',
    markdownTable(['state', 'meaning', 'kind', 'whose move', 'deadline'], TASK_STATUS_NAMES.map(statusCells)),
    `While a disk is written, an agent that is silent for ${seconds(INSTALL_SILENCE_SECONDS)} counts as failed for that attempt. ` +
      'A stalled task is shown as such and goes on; every other expiry ends the task.',
    '## Events',
    'The hub is the control plane, on behalf of a person. An event that is already true changes nothing and is no error, ' +
      'so every event may safely come twice.',
    markdownTable(['event', 'meaning', 'caused by', 'moves', 'already true in'], TASK_EVENT_NAMES.map(eventCells)),
    '## Every state and every event',
    'A state is where the event leads; `=` is a no-op; `·` is refused.',
    markdownTable(
      ['event', ...TASK_STATUS_NAMES],
      TASK_EVENT_NAMES.map((event) => [code(event), ...TASK_STATUS_NAMES.map((status) => outcome(status, event))]),
    ),
  );
}

function statusCells(status: TaskStatus): string[] {
  const { sentence, kind, mover, deadline } = statusRow(status);
  const expiry = deadline === undefined ? '—' : `${seconds(deadline.seconds)}, then ${deadline.onExpiry}`;
  return [code(status), sentence, kind, mover, expiry];
}

function eventCells(event: TaskEventName): string[] {
  const { sentence, actor, edges, alreadyTrueIn } = eventRow(event);
  const moves = Object.entries(edges).map(([from, to]) => `${from} → ${to}`);
  return [code(event), sentence, actor, moves.join('; '), codes(alreadyTrueIn)];
}

function outcome(status: TaskStatus, event: TaskEventName): string {
  const { edges, alreadyTrueIn } = eventRow(event);
  return edges[status] ?? (alreadyTrueIn.includes(status) ? '=' : '·');
}

/** Edges between the same two states share an arrow. */
function diagram(): string {
  const labels = new Map<string, string[]>();
  for (const event of TASK_EVENT_NAMES) {
    for (const [from, to] of Object.entries(eventRow(event).edges)) {
      const edge = `${from} --> ${to}`;
      labels.set(edge, [...(labels.get(edge) ?? []), event]);
    }
  }
  const arrows = [...labels].map(([edge, events]) => `  ${edge} : ${events.join(', ')}`);
  const ends = TASK_STATUS_NAMES.filter((status) => statusRow(status).kind === 'terminal');
  return ['stateDiagram-v2', '  [*] --> pending : task_created', ...arrows, ...ends.map((end) => `  ${end} --> [*]`)].join('\n');
}
