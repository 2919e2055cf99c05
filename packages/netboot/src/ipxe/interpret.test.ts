/** The interpreter against what iPXE does: operators, expansion before splitting, typed increments, ends and circles. */
import { runIpxeScript, type IpxeAction } from './interpret';

function run(
  body: string,
  settings = new Map<string, string>(),
  ok: (action: IpxeAction) => boolean = () => true,
) {
  const running = runIpxeScript(`#!ipxe\n${body}\n`, settings);
  const echoes: string[] = [];
  const actions: IpxeAction[] = [];
  let turn = running.next();
  while (turn.done !== true) {
    if (turn.value.do === 'echo') echoes.push(turn.value.text);
    else actions.push(turn.value);
    turn = running.next(ok(turn.value));
  }
  return { echoes, actions, end: turn.value, settings };
}

describe('runIpxeScript', () => {
  it.each([
    ['an unhandled failure ends the script', 'iseq a b\necho no', [], 'failed'],
    ['an empty alternative goes on', 'iseq a b ||\necho yes', ['yes'], 'ended'],
    ['&& needs success', 'iseq a b && echo no ||\niseq a a && echo yes', ['yes'], 'ended'],
    ['|| needs failure', 'iseq a a || echo no', [], 'ended'],
    ['a semicolon joins', 'echo a ; echo b', ['a', 'b'], 'ended'],
    ['a comment ends the line', 'echo a # echo b', ['a'], 'ended'],
    ['goto jumps', 'goto x\necho no\n:x\necho yes', ['yes'], 'ended'],
    ['goto to nowhere fails', 'goto y\necho no', [], 'failed'],
    ['inc fails on plain text', 'set a 1\ninc a || echo typed only', ['typed only'], 'ended'],
    ['inc counts', 'set a:int32 1\ninc a:int32\necho ${a:int32}', ['2'], 'ended'],
    ['isset of nothing fails', 'isset ${nothing} || echo empty', ['empty'], 'ended'],
  ])('%s', (_what, body, echoes, end) => {
    const result = run(body);
    expect(result.echoes).toEqual(echoes);
    expect(result.end.kind).toBe(end);
  });

  it('expands a line before it splits it, which is why free text must not be expanded', () => {
    expect(run('echo ${hostname}', new Map([['hostname', 'x && sanboot']])).actions).toEqual([
      { do: 'sanboot', drive: 0x80 },
    ]);
  });

  it('reads the options of fetching commands', () => {
    const body =
      'kernel http://h/k a=1 b\ninitrd --name i.img http://h/i\nchain --autofree --replace http://h/c\nexit 1';
    expect(run(body)).toMatchObject({
      actions: [
        { do: 'kernel', url: 'http://h/k', commandLine: 'a=1 b' },
        { do: 'initrd', name: 'i.img', url: 'http://h/i' },
        { do: 'chain', url: 'http://h/c' },
      ],
      end: { kind: 'exit', status: 1 },
    });
  });

  it('ends a script that runs in a circle', () => {
    expect(() => run(':x\necho again\ngoto x')).toThrow('runs in a circle');
  });

  it('refuses what is no script, and commands that ours never use', () => {
    expect(() => runIpxeScript('<html>', new Map()).next()).toThrow('does not start with #!ipxe');
    expect(() => run('params')).toThrow('uses "params"');
    expect(() => run('constructor')).toThrow('uses "constructor"');
  });
});
