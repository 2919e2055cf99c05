/**
 * Runs a parsed iPXE script as a generator: it does itself what needs no world (echo is told, set, clear, inc, isset,
 * iseq, goto) and yields the rest as actions; the driver performs each and answers with success or failure.
 * Semantics of iPXE: settings are expanded in a line before it is split into words; an unhandled failure ends the
 * script, `||` catches it, an empty alternative is success.
 * Bounded: a script that jumps for ever without an action is ended.
 */
import { LpmosError } from '@lpmos/core';
import { parseCommands, parseIpxeScript, type ParsedCommand, type ParsedLine } from './parse';

export type IpxeAction =
  | { readonly do: 'echo'; readonly text: string }
  | { readonly do: 'sleep'; readonly seconds: number }
  | { readonly do: 'kernel'; readonly url: string; readonly commandLine: string }
  | { readonly do: 'initrd'; readonly name: string; readonly url: string }
  | { readonly do: 'chain'; readonly url: string }
  | { readonly do: 'sanboot'; readonly drive: number }
  | { readonly do: 'boot' }
  | { readonly do: 'imgfree' }
  | { readonly do: 'dhcp' }
  | { readonly do: 'reboot' };

/** How a script ended: by itself, by `exit`, or by a command that failed with nothing to catch it. */
export interface IpxeEnd {
  readonly kind: 'ended' | 'exit' | 'failed';
  readonly status: number;
}

/** Settings by name without type, as text. Kept by the caller: they outlive a chain. */
export type IpxeSettings = Map<string, string>;

/** Scripts here have a few dozen lines; a loop without an action is a fault. */
const MAX_LINES_BETWEEN_ACTIONS = 1000;

type Result = { readonly ok: boolean; readonly jump?: number; readonly exit?: number };
type Run<T> = Generator<IpxeAction, T, boolean>;

/** @throws LpmosError `invalid_argument` for a text that is no script, an unknown command or an endless loop. */
export function* runIpxeScript(text: string, settings: IpxeSettings): Run<IpxeEnd> {
  const lines = parseIpxeScript(text);
  let quiet = 0;
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    at += 1;
    if (line === undefined || line.kind === 'label') continue;
    quiet += 1;
    if (quiet > MAX_LINES_BETWEEN_ACTIONS) throw invalid('runs in a circle without doing anything');
    const acts = { acted: false };
    const result = yield* runLine(parseCommands(expand(line.text, settings)), { lines, settings, acts });
    if (acts.acted) quiet = 0;
    if (result.exit !== undefined) return { kind: 'exit', status: result.exit };
    if (result.jump !== undefined) at = result.jump;
    else if (!result.ok) return { kind: 'failed', status: 1 };
  }
  return { kind: 'ended', status: 0 };
}

interface World {
  readonly lines: readonly ParsedLine[];
  readonly settings: IpxeSettings;
  readonly acts: { acted: boolean };
}

function* runLine(commands: readonly ParsedCommand[], world: World): Run<Result> {
  let result: Result = { ok: true };
  for (const command of commands) {
    if (command.after === '&&' && !result.ok) continue;
    if (command.after === '||' && result.ok) continue;
    result = yield* runCommand(command.words, world);
    if (result.jump !== undefined || result.exit !== undefined) return result;
  }
  return result;
}

function* runCommand(words: readonly string[], world: World): Run<Result> {
  const [name, ...rest] = words;
  if (name === undefined) return { ok: true };
  const inside = INSIDE.get(name)?.(rest, world);
  if (inside !== undefined) return inside;
  const action = ACTIONS.get(name)?.(rest);
  if (action === undefined) throw invalid(`uses ${JSON.stringify(name)}, which is no command of ours`);
  // A line of text is no progress: a loop that only talks is still a circle.
  if (action.do !== 'echo') world.acts.acted = true;
  return { ok: yield action };
}

type Inside = (words: readonly string[], world: World) => Result;
const INSIDE: ReadonlyMap<string, Inside> = new Map(
  Object.entries<Inside>({
    set: ([name = '', ...value], { settings }) => {
      settings.set(untyped(name), value.join(' '));
      return { ok: true };
    },
    clear: ([name = ''], { settings }) => ({ ok: settings.delete(untyped(name)) }),
    inc: ([name = '', by = '1'], { settings }) => {
      // iPXE increments only what has a numeric type.
      if (!/:u?int\d+$/.test(name)) return { ok: false };
      settings.set(untyped(name), String(Number(settings.get(untyped(name)) ?? '0') + Number(by)));
      return { ok: true };
    },
    isset: (words) => ({ ok: words.join('') !== '' }),
    iseq: ([left = '', right = '']) => ({ ok: left === right }),
    goto: ([label], { lines }) => {
      const at = lines.findIndex((line) => line.kind === 'label' && line.name === label);
      return at === -1 ? { ok: false } : { ok: true, jump: at };
    },
    exit: ([status = '0']) => ({ ok: true, exit: Number(status) }),
  }),
);

type ReadAction = (words: readonly string[]) => IpxeAction;
const ACTIONS: ReadonlyMap<string, ReadAction> = new Map(
  Object.entries<ReadAction>({
    echo: (words) => ({ do: 'echo', text: words.join(' ') }),
    sleep: ([seconds = '0']) => ({ do: 'sleep', seconds: Number(seconds) }),
    kernel: ([url = '', ...line]) => ({ do: 'kernel', url, commandLine: line.join(' ') }),
    initrd: (words) => ({ do: 'initrd', name: option(words, '--name') ?? '', url: words.at(-1) ?? '' }),
    chain: (words) => ({ do: 'chain', url: words.at(-1) ?? '' }),
    sanboot: (words) => ({ do: 'sanboot', drive: Number(option(words, '--drive') ?? '0x80') }),
    boot: () => ({ do: 'boot' }),
    imgfree: () => ({ do: 'imgfree' }),
    dhcp: () => ({ do: 'dhcp' }),
    reboot: () => ({ do: 'reboot' }),
  }),
);

function option(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name);
  return at === -1 ? undefined : words[at + 1];
}

/** `${name:type}` becomes the setting's value, or nothing when it is not set. */
function expand(line: string, settings: IpxeSettings): string {
  return line.replace(/\$\{([^}]*)\}/g, (_whole, name: string) => settings.get(untyped(name)) ?? '');
}

function untyped(name: string): string {
  return name.split(':')[0] ?? name;
}

function invalid(problem: string): LpmosError {
  return new LpmosError({ code: 'invalid_argument', message: `The script ${problem}` });
}
