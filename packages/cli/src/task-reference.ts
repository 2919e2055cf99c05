/**
 * From what a person types to one task id: a whole id, `@latest`, or a unique start of an id. All ids of a region share their first
 * eight digits (its tag), so the start of the part after the tag counts as well: `22d5` for 5891b5b5-22d5-….
 */
import { isTaskId, LpmosError } from '@lpmos/core';
import type { ControlPlane } from './control-plane';
import { invalidOption } from './usage-error';

const PAGE = 200;
/** Beyond this many tasks an abbreviation costs more to find than to type out. */
const MOST_PAGES = 50;
const SHORTEST = 4;
const TAG_LENGTH = '5891b5b5-'.length;

export async function resolveTask(api: ControlPlane, text: string): Promise<string> {
  if (isTaskId(text)) return text;
  if (text === '@latest') return latest(api);
  const wanted = text.toLowerCase();
  if (!/^[0-9a-f-]{1,36}$/.test(wanted) || wanted.length < SHORTEST) {
    throw invalidOption(
      'task',
      `must be a task id, at least ${SHORTEST} first digits of one, or @latest, not "${text}"`,
    );
  }
  const matches = await findMatches(api, wanted);
  const [match, second] = matches;
  if (match === undefined) {
    throw new LpmosError({ code: 'not_found', message: `No task id starts with "${text}"` });
  }
  if (second === undefined) return match;
  throw invalidOption(
    'task',
    `"${text}" is the start of several ids; give more digits: ${matches.join(', ')}`,
  );
}

async function latest(api: ControlPlane): Promise<string> {
  const { tasks } = await api.listTasks({ limit: 1 });
  const [task] = tasks;
  if (task === undefined) throw new LpmosError({ code: 'not_found', message: 'There is no task yet' });
  return task.task_id;
}

/** How many colliding ids are enough to show what is wrong. */
const ENOUGH = 4;

async function findMatches(api: ControlPlane, wanted: string): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { tasks, next_cursor } = await api.listTasks({
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...tasks.map((task) => task.task_id).filter((id) => startsWith(id, wanted)));
    if (found.length >= ENOUGH || next_cursor === undefined) return found;
    cursor = next_cursor;
  }
  throw invalidOption(
    'task',
    `cannot be abbreviated among more than ${PAGE * MOST_PAGES} tasks; give the whole id`,
  );
}

function startsWith(id: string, wanted: string): boolean {
  return id.startsWith(wanted) || id.slice(TAG_LENGTH).startsWith(wanted);
}
