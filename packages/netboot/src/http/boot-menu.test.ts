/** Script requests: who asks, what is decided, and that every answer is a script that a machine can run. */
import type { BootDecision, MacAddress, TaskId } from '@lpmos/core';
import { parseIpxeScript } from '../ipxe/parse';
import { answerMenu, type BootScriptRequest } from './boot-menu';
import { findRoute, readBootMachine } from './boot-routes';

const AGENT: BootDecision = {
  kind: 'agent',
  purpose: 'report',
  taskId: 'T' as TaskId,
  reason: 'task T is ready',
};
const MAC = '52:54:00:12:34:56' as MacAddress;

function ask(
  parameters: Record<string, string>,
  more: { decision?: BootDecision; fails?: Error; active?: number; holder?: MacAddress } = {},
) {
  const asked: string[] = [];
  const rendered: BootScriptRequest[] = [];
  const answer = answerMenu({
    query: new Map(Object.entries(parameters)),
    decider: {
      decide(mac) {
        asked.push(mac);
        return more.decision ?? AGENT;
      },
    },
    scripts: {
      bootScript(request) {
        if (more.fails !== undefined) throw more.fails;
        rendered.push(request);
        return '#!ipxe\nexit 0\n';
      },
      unfitForAgent: ({ architecture }) =>
        architecture === 'arm64' ? 'the agent is no ARM program' : undefined,
    },
    activeDownloads: more.active ?? 0,
    busyDownloads: 10,
    ...(more.holder === undefined ? {} : { holder: more.holder }),
  });
  return { answer, asked, rendered };
}

it.each([
  '52:54:00:12:34:56',
  '52-54-00-12-34-56',
  '525400123456',
  '5254.0012.3456',
  '52:54:00:12:34:56'.toUpperCase(),
])('takes the address as %s, decides once, and hands the decision over', (mac) => {
  const { answer, asked, rendered } = ask({ mac });
  expect(asked).toEqual([MAC]);
  expect(rendered).toEqual([{ mac: MAC, decision: AGENT }]);
  expect(answer).toMatchObject({ mac: MAC, decision: AGENT, outcome: 'answered', reason: 'task T is ready' });
});

it('gives a script to the machine that holds the lease and to no other, and decides nothing for others', () => {
  expect(ask({ mac: MAC }, { holder: MAC }).answer.outcome).toBe('answered');
  const other = '52:54:00:00:00:99' as MacAddress;
  const { answer, asked, rendered } = ask({ mac: MAC }, { holder: other });
  expect([asked, rendered]).toEqual([[], []]);
  expect(answer).toMatchObject({
    outcome: 'refused',
    mac: other,
    reason: `the address is leased to ${other}, which may not ask for the script of ${MAC}`,
  });
  expect(parseIpxeScript(answer.script).length).toBeGreaterThan(0);
});

it('does not send a machine a kernel that it cannot run, and says so; its disk is its own', () => {
  const refused = ask({ mac: MAC, arch: 'arm64' });
  expect(refused.rendered).toEqual([]);
  expect(refused.answer).toMatchObject({ outcome: 'refused', reason: 'the agent is no ARM program' });
  expect(refused.answer.script).toContain('the agent is no ARM program');
  const disk: BootDecision = { kind: 'local-disk', reason: 'installed' };
  expect(ask({ mac: MAC, arch: 'arm64' }, { decision: disk }).answer.outcome).toBe('answered');
  for (const arch of ['x86_64', '${buildarch}', '']) {
    expect(ask({ mac: MAC, arch }).answer.outcome).toBe('answered');
  }
});

it('passes on what the firmware says of itself only in the form it must have', () => {
  const uuid = '4C4C4544-0042-4A10-8051-B4C04F564433';
  const good = ask({ mac: MAC, uuid, serial: 'ABC 123', platform: 'efi' });
  expect(good.rendered[0]).toMatchObject({ uuid: uuid.toLowerCase(), serial: 'ABC 123', platform: 'efi' });
  const bad = ask({ mac: MAC, uuid: 'x', serial: 'a\nboot', platform: 'toaster' });
  expect(bad.rendered).toEqual([{ mac: MAC, decision: AGENT }]);
});

it('decides by the address in the URL, and notes when iPXE runs on another card of the machine', () => {
  const nic = '52:54:00:12:34:99';
  const { answer, asked } = ask({ mac: MAC, nic });
  expect(asked).toEqual([MAC]);
  expect(answer).toMatchObject({
    outcome: 'answered',
    reason: `task T is ready; iPXE runs on card ${nic} of the machine`,
  });
  for (const same of [MAC, '', 'x'])
    expect(ask({ mac: MAC, nic: same }).answer.reason).toBe('task T is ready');
});

it.each<[string, Record<string, string>, RegExp]>([
  ['no address', {}, /"mac" is missing/],
  ['an empty one', { mac: '' }, /"mac" is missing/],
  ['a malformed one', { mac: '52:54:00' }, /"mac" is 52:54:00, which is no unicast MAC address/],
  ['a group address', { mac: '01:00:5e:00:00:01' }, /no unicast MAC address/],
  ['a hostile one', { mac: '${x}\nboot' }, /no unicast MAC address/],
])('answers a request with %s by a script that says so and boots the disk', (_what, parameters, reason) => {
  const { answer, asked } = ask(parameters);
  expect(asked).toEqual([]);
  expect(answer).toMatchObject({ outcome: 'refused', reason: expect.stringMatching(reason) });
  const commands = parseIpxeScript(answer.script).flatMap((line) =>
    line.kind === 'label' ? [] : line.commands.map((command) => command.words[0]),
  );
  expect(commands).not.toContain('boot');
  expect(commands).toContain('exit');
});

it('still answers with a script when none can be made', () => {
  const { answer } = ask({ mac: MAC }, { fails: new Error('kernel_url must not be empty') });
  expect(answer).toMatchObject({
    mac: MAC,
    outcome: 'failed',
    reason: expect.stringContaining('kernel_url'),
  });
  expect(answer.script).toMatch(/^#!ipxe\n[^]*echo no script could be made: kernel_url must not be empty\n/);
});

it('holds agents back while too many downloads run, and nothing else', () => {
  expect(ask({ mac: MAC }, { active: 10 }).answer.decision).toMatchObject({
    kind: 'wait',
    retryAfterSeconds: 10,
  });
  expect(ask({ mac: MAC }, { active: 9 }).answer.decision).toBe(AGENT);
  const disk: BootDecision = { kind: 'local-disk', reason: 'installed' };
  expect(ask({ mac: MAC }, { active: 99, decision: disk }).answer.decision).toBe(disk);
  const agent: BootDecision = { ...AGENT, exitMethod: 'exit-0' };
  expect(ask({ mac: MAC }, { active: 99, decision: agent }).answer.decision).toMatchObject({
    kind: 'wait',
    exitMethod: 'exit-0',
  });
});

it.each([
  [['boot', 'menu.ipxe'], { kind: 'menu' }],
  [['boot', 'assets', 'vmlinuz'], { kind: 'file', source: 'assets', name: 'vmlinuz' }],
  [['boot', 'assets', 'a', 'b'], { kind: 'file', source: 'assets', name: 'a/b' }],
  [['images', 'x.gz'], { kind: 'file', source: 'images', name: 'x.gz' }],
  [['boot', 'loaders', 'snponly.efi'], { kind: 'file', source: 'loaders', name: 'snponly.efi' }],
  [['boot', 'loaders'], { kind: 'not-found' }],
  [['boot', 'assets'], { kind: 'not-found' }],
  [['boot', 'menu.ipxe', 'x'], { kind: 'not-found' }],
  [['images'], { kind: 'not-found' }],
  [['x', 'menu.ipxe'], { kind: 'not-found' }],
  [[], { kind: 'not-found' }],
])('routes %j', (segments, route) => expect(findRoute(segments)).toEqual(route));

it('reads no machine from a prototype', () => {
  expect(readBootMachine(new Map())).toHaveProperty('problem');
});
