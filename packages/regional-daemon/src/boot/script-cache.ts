/**
 * Boot scripts from templates. Scripts of a region differ in little more than the machine's names, its task and its ticket;
 * making one from its steps costs ten times as much as filling those in, and after a power cut all machines ask at once.
 * A template is a script that was made, and so checked, in full for a stand-in machine of the same shape. Before it is used
 * it is compared with the script that the first real machine gets without it; where they differ there is no template.
 * Values have the lengths of their stand-ins, so limits hold for every script, and each goes through the escaper's check.
 * Nothing that was decided is remembered: decision and ticket are fresh for each ask, and a ticket is never in a template.
 */
import { macWithHyphens } from '@lpmos/core';
import type { MacAddress, TaskId } from '@lpmos/core';
import { commandWord, consoleText } from '@lpmos/netboot';
import type { BootScriptRequest } from '@lpmos/netboot';

/** All that a script may depend on; what is not in here cannot be in a template. */
export type ScriptSubject = Pick<BootScriptRequest, 'mac' | 'uuid' | 'platform' | 'decision'>;

export interface ScriptGiven {
  /** Empty when no agent boots. */
  readonly ticket: string;
  /** 0 to 1. */
  readonly jitter: number;
}

export interface ScriptCacheOptions {
  /** Makes a script from its steps. @throws LpmosError for a value that no script may carry. */
  readonly render: (subject: ScriptSubject, given: ScriptGiven) => string;
  /** Fresh for each ask. */
  readonly ticketOf: (taskId: TaskId) => string;
  /** Whatever else `render` uses and may change, as text. */
  readonly settings: () => string;
  /** 0 to 1. */
  readonly random?: () => number;
}

export interface ScriptCache {
  script(subject: ScriptSubject): string;
  /** For tests of the bound. */
  size(): number;
}

/** Waits are whole seconds: 15 s spread over 22 s have no more different values than that. */
const JITTER_STEPS = 32;
/** A region has some dozens of shapes for each step of the jitter; at 1.5 KB each this is 3 MB. The oldest go first. */
export const MOST_TEMPLATES = 2048;

const STAND_IN = {
  mac: '02:4c:50:4d:4f:53' as MacAddress,
  uuid: '4c504d4f-5300-4000-8000-4c504d4f5300',
  task: 'stand-in-of-a-task',
  ticket: 'stand-in-of-a-ticket',
  reason: 'stand-in of a reason',
};

/** What stands in the template, and what this machine has instead: of the same length, or nothing for both. */
interface Hole {
  readonly standIn: string;
  readonly value: string;
}
type Holes = Readonly<Record<'mac' | 'hyphenMac' | 'uuid' | 'task' | 'ticket' | 'reason', Hole>>;
type HoleName = keyof Holes;

/** Texts, each with the hole that follows it; the last has none. */
type Template = readonly { readonly text: string; readonly hole: HoleName | undefined }[];

export function createScriptCache(options: ScriptCacheOptions): ScriptCache {
  const { render, random = Math.random } = options;
  /** Undefined for a shape whose template turned out wrong. */
  const templates = new Map<string, Template | undefined>();

  const learn = (shape: string, template: Template | undefined) => {
    templates.set(shape, template);
    if (templates.size <= MOST_TEMPLATES) return;
    const oldest = templates.keys().next().value;
    if (oldest !== undefined) templates.delete(oldest);
  };

  return {
    script({ mac, uuid, platform, decision }) {
      const step = Math.floor(random() * JITTER_STEPS);
      const ticket = decision.kind === 'agent' ? options.ticketOf(decision.taskId) : '';
      const jitter = (step + 0.5) / JITTER_STEPS;
      const subject: ScriptSubject = {
        ...{ mac, decision },
        ...(uuid === undefined ? {} : { uuid }),
        ...(platform === undefined ? {} : { platform }),
      };
      const holes = holesOf(subject, ticket);
      const standIn = standInFor(subject, holes);
      const shape = `${step} ${ticket.length} ${options.settings()} ${JSON.stringify(standIn)}`;
      const known = templates.get(shape);
      if (known !== undefined) return fill(known, holes);
      const script = render(subject, { ticket, jitter });
      if (!templates.has(shape) && Object.values(holes).every(isDistinct)) {
        const template = cut(render(standIn, { ticket: holes.ticket.standIn, jitter }), holes);
        learn(shape, fill(template, holes) === script ? template : undefined);
      }
      return script;
    },
    size: () => templates.size,
  };
}

function holesOf({ mac, uuid, decision }: ScriptSubject, ticket: string): Holes {
  return {
    mac: { standIn: STAND_IN.mac, value: mac },
    hyphenMac: { standIn: macWithHyphens(STAND_IN.mac), value: macWithHyphens(mac) },
    uuid: sized(STAND_IN.uuid, uuid ?? ''),
    task: sized(STAND_IN.task, decision.kind === 'agent' ? decision.taskId : ''),
    ticket: sized(STAND_IN.ticket, ticket),
    // As it stands behind other words on the console.
    reason: sized(STAND_IN.reason, consoleText(`: ${decision.reason}`).slice(2)),
  };
}

function sized(standIn: string, value: string): Hole {
  return { standIn: standIn.padEnd(value.length, '0').slice(0, value.length), value };
}

/** Short stand-ins could be words of the script, and a value that equals its stand-in would prove nothing about the template. */
function isDistinct({ standIn, value }: Hole): boolean {
  return value === '' || (standIn !== value && standIn.length >= SHORTEST_STAND_IN);
}

const SHORTEST_STAND_IN = 17;

function standInFor({ uuid, platform, decision }: ScriptSubject, holes: Holes): ScriptSubject {
  const reason = holes.reason.standIn;
  return {
    mac: STAND_IN.mac,
    ...(uuid === undefined ? {} : { uuid: holes.uuid.standIn }),
    ...(platform === undefined ? {} : { platform }),
    decision:
      decision.kind === 'agent'
        ? { ...decision, reason, taskId: holes.task.standIn as TaskId }
        : { ...decision, reason },
  };
}

function cut(script: string, holes: Holes): Template {
  const names = new Map(
    (Object.keys(holes) as HoleName[])
      .filter((name) => holes[name].value !== '')
      .map((name) => [holes[name].standIn, name]),
  );
  const places = new RegExp(`(${[...names.keys()].join('|')})`);
  const pieces = script.split(places);
  return Array.from({ length: Math.ceil(pieces.length / 2) }, (_none, index) => ({
    text: pieces[2 * index] ?? '',
    hole: names.get(pieces[2 * index + 1] ?? ''),
  }));
}

function fill(template: Template, holes: Holes): string {
  let script = '';
  for (const { text, hole } of template) {
    script += text;
    if (hole !== undefined)
      script += hole === 'reason' ? holes.reason.value : checked(holes[hole].value, hole);
  }
  return script;
}

function checked(value: string, hole: HoleName): string {
  return value === '' ? '' : commandWord(value, hole);
}
