/** iPXE scripts as a machine runs them: every decision, every failure, hostile words in the query, the way to the disk. */
import {
  bootScript,
  parseIpxeScript,
  problemScript,
  renderIpxeScript,
  runIpxeScript,
  type BootScriptFacts,
} from '@lpmos/netboot';
import type { BootDecision, ExitMethod, TaskId } from '@lpmos/core';
import { startHttpLab, type HttpLab } from './harness/netboot-http-lab';

const TASK = '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId;
const DECISIONS: readonly BootDecision[] = [
  { kind: 'agent', purpose: 'report', taskId: TASK, reason: 'the task is ready' },
  { kind: 'agent', purpose: 'install', taskId: TASK, reason: 'approved' },
  { kind: 'local-disk', reason: 'installed; $(reboot) ${x} || boot' },
  { kind: 'wait', retryAfterSeconds: 30, reason: 'the region has not read the task yet' },
  { kind: 'silent', reason: 'nobody names it' },
];
const ATTEMPTS = 4;
const FACTS: BootScriptFacts = {
  machine: '52:54:00:12:34:56',
  region: 'lab',
  retry: {
    url: 'http://10.0.0.1/boot/menu.ipxe?mac=52-54-00-12-34-56',
    seconds: 10,
    attempts: ATTEMPTS,
    jitter: 0.5,
  },
  agent: {
    kernelUrl: 'http://10.0.0.1/boot/assets/agent/vmlinuz',
    initrdUrls: ['http://10.0.0.1/boot/assets/agent/a.img', 'http://10.0.0.1/boot/assets/agent/b.img'],
    kernelArguments: [['console', 'ttyS0']],
  },
};
const FETCHES = new Set(['kernel', 'initrd', 'chain', 'boot']);
const RUNS_AT_MOST = 1000;

interface Life {
  readonly actions: readonly string[];
  readonly end: unknown;
}

/** Runs a script to its end; actions named in `failing` fail. */
function live(script: string, platform: 'efi' | 'pcbios', failing: ReadonlySet<string>): Life {
  const running = runIpxeScript(script, new Map([['platform', platform]]));
  const actions: string[] = [];
  for (let turn = running.next(); ; turn = running.next(!failing.has(actions.at(-1) ?? ''))) {
    if (turn.done === true) return { actions, end: turn.value };
    if (actions.length > RUNS_AT_MOST) throw new Error('the script never ends');
    actions.push(turn.value.do);
  }
}

const scripts = [
  ...DECISIONS.map(
    (decision) => [JSON.stringify(decision), renderIpxeScript(bootScript(decision, FACTS))] as const,
  ),
  ['a problem', renderIpxeScript(problemScript('"mac" is missing'))] as const,
];

describe.each(scripts)('the script of %s', (_what, script) => {
  it('IP4: is short plain text from #!ipxe to a final newline', () => {
    expect(script).toMatch(/^#!ipxe\n[\x20-\x7e\n]*\n$/);
    expect(script.length).toBeLessThan(64 * 1024);
  });

  it('IP4: has a fail path behind everything that fetches', () => {
    const bare = parseIpxeScript(script).flatMap((line) =>
      line.kind === 'label' ||
      !FETCHES.has(line.commands[0]?.words[0] ?? '') ||
      line.commands[1]?.after === '||'
        ? []
        : [line.text],
    );
    expect(bare).toEqual([]);
  });

  it.each(['efi', 'pcbios'] as const)(
    'IP4: ends at the disk of a %s machine when nothing can be fetched, after at most N tries with waits between',
    (platform) => {
      const { actions, end } = live(script, platform, FETCHES);
      expect(end).toMatchObject({ kind: 'exit' });
      const tries = actions.filter((action) => action === 'chain').length;
      expect(tries).toBeLessThanOrEqual(ATTEMPTS);
      expect(actions.filter((action) => action === 'sleep').length).toBeGreaterThanOrEqual(tries);
    },
  );
});

describe('the way to the disk', () => {
  const disk = (exitMethod?: ExitMethod) =>
    renderIpxeScript(
      bootScript(
        { kind: 'local-disk', reason: 'installed', ...(exitMethod === undefined ? {} : { exitMethod }) },
        FACTS,
      ),
    );

  it('IP8: is the first disk by sanboot on BIOS, and back to the firmware when that fails', () => {
    expect(disk()).toMatch(/^sanboot --no-describe --drive 0x80 \|\|$/m);
    expect(live(disk(), 'pcbios', new Set()).actions).toContain('sanboot');
    expect(live(disk(), 'pcbios', new Set(['sanboot'])).end).toEqual({ kind: 'exit', status: 0 });
  });

  it('IP8: is a failing exit on UEFI, so that the firmware tries its next entry', () => {
    const { actions, end } = live(disk(), 'efi', new Set());
    expect(actions).not.toContain('sanboot');
    expect(end).toEqual({ kind: 'exit', status: 1 });
  });

  it('IP8: is another one for a machine whose firmware needs it', () => {
    const { actions, end } = live(disk('exit-0'), 'pcbios', new Set());
    expect(actions).not.toContain('sanboot');
    expect(end).toEqual({ kind: 'exit', status: 0 });
    expect(live(disk('exit-0'), 'efi', new Set()).end).toEqual({ kind: 'exit', status: 0 });
    expect(live(disk('sanboot-second'), 'pcbios', new Set()).actions).toContain('sanboot');
  });
});

describe('what a machine says of itself', () => {
  let lab: HttpLab;
  beforeAll(async () => {
    lab = await startHttpLab([]);
  });
  afterAll(() => lab.stop());

  const HOSTILE = [
    '%0aboot%20http://evil/',
    '%0d%0aX-Injected:%20yes',
    '${net0/ip}',
    '%24%7Bnet0%2Fip%7D',
    '$(reboot)',
    '`reboot`',
    '||%20chain%20http://evil/',
    '%26%26%20boot',
    ';reboot',
    '#comment',
    '%3Cscript%3E',
    '%22%3E%27--',
    '%00boot',
    '%e2%80%ae',
    'a'.repeat(3000),
    '{{7*7}}',
    '%25n%25s',
  ];
  const FIELDS = ['mac', 'uuid', 'serial', 'platform', 'hostname'];
  const cases = HOSTILE.flatMap((value) => FIELDS.map((field) => [field, value] as const));

  it.each(cases)('IP6: is no command and no header, with %s=%s', async (field, value) => {
    const others = field === 'mac' ? '' : 'mac=52-54-00-12-34-56&';
    const answer = await lab.get(`/boot/menu.ipxe?${others}${field}=${value}`);
    const [head = '', script = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(head).not.toContain('X-Injected');
    const said = /^(?:echo|sleep|sanboot|exit|imgfree|iseq|set|clear|inc|isset)$/;
    const commands = parseIpxeScript(script).flatMap((line) =>
      line.kind === 'label' ? [] : line.commands.map(({ words }) => words[0] ?? ''),
    );
    expect(commands.filter((command) => command !== '' && !said.test(command) && command !== 'goto')).toEqual(
      [],
    );
    // The only settings are ours: none came in from the query.
    expect([...script.matchAll(/\$\{([^}]*)\}/g)].map(([, name]) => name)).toEqual(['platform']);
    expect(script.length).toBeLessThan(2048);
  });
});
