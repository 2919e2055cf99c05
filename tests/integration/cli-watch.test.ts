/** `lpmos task watch` over a real event stream: live phases, broken links, ends. */
import type { ServerResponse } from 'node:http';
import { EXAMPLE_TASK } from '@lpmos/cli';
import { runLpmos } from './harness/cli-run';
import type { CliRunResult } from './harness/cli-run';
import { json, startScriptedControlPlane } from './harness/scripted-control-plane';
import type { Answer, ScriptedControlPlane } from './harness/scripted-control-plane';

const ID = EXAMPLE_TASK.task_id;
const TASK = `/api/v1/tasks/${ID}`;

let plane: ScriptedControlPlane;
let current: unknown;
let revision: number;
beforeEach(async () => {
  plane = await startScriptedControlPlane();
  current = EXAMPLE_TASK;
  revision = 100;
  plane.on(`GET ${TASK}`, (request, response) => json(200, current)(request, response));
});
afterEach(() => plane.close());

const event = (name: string, to: string, seq: number) => ({
  seq,
  timestamp: '2026-01-29T10:20:00.000Z',
  event: name,
  to,
  actor: 'region:dc1',
});

/** Every look at the task finds the next of these; each look is followed by the next event. */
function play(states: readonly unknown[], breakAfter?: number): Answer {
  let at = 0;
  const send = (response: ServerResponse): void => {
    current = states[at];
    at += 1;
    revision += 1;
    const data = {
      task_id: ID,
      region_id: 'dc1',
      status: (current as { status: string }).status,
      version: '1',
      revision: String(revision),
      attempt: 1,
    };
    response.write(`event: task\nid: ${revision}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  return (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    send(response);
    plane.on(`GET ${TASK}`, (request, answer) => {
      json(200, current)(request, answer);
      if (at === breakAfter) {
        breakAfter = undefined;
        response.destroy();
      } else if (at < states.length) send(response);
    });
  };
}

const installing = (percent: number) => ({
  ...EXAMPLE_TASK,
  status: 'installing',
  timeline: [
    ...EXAMPLE_TASK.timeline,
    event('approved', 'approved', 4),
    event('install_started', 'installing', 5),
  ],
  progress: { attempt: 1, phase: 'write', percent, message: 'writing', at: '2026-01-29T10:21:00.000Z' },
});
const ended = (name: string, status: string) => {
  const before = installing(100);
  return { ...before, status, timeline: [...before.timeline, event(name, status, 6)] };
};

function watch(
  more: readonly string[] = [],
  options: { tty?: boolean; signal?: AbortSignal } = {},
): Promise<CliRunResult> {
  return runLpmos({ args: ['task', 'watch', ID, ...more], url: plane.url, ...options });
}

it('prints each phase once and ends with 0 when completed', async () => {
  plane.on(
    'GET /api/v1/events',
    play([EXAMPLE_TASK, installing(10), installing(55), ended('install_succeeded', 'completed')]),
  );
  const result = await watch();
  expect(result.exitCode).toBe(0);
  const words = [
    'task created',
    'hardware reported',
    'install started',
    'write  10 %',
    'write  55 %',
    'install succeeded -> completed',
  ];
  const found = words.map((word) => result.stdout.split('\n').findIndex((line) => line.includes(word)));
  expect(found).not.toContain(-1);
  expect(found).toEqual([...found].sort((a, b) => a - b));
  expect(result.stdout.split('install started')).toHaveLength(2);
  expect(result.stdout).not.toContain('\u001b');
});

it.each([
  ['failed', 'failed', 20],
  ['rejected', 'rejected', 21],
  ['cancel_obeyed', 'cancelled', 22],
])('ends on %s with its own code', async (name, status, exitCode) => {
  plane.on('GET /api/v1/events', play([installing(10), ended(name, status)]));
  expect((await watch()).exitCode).toBe(exitCode);
});

it('draws a bar on a terminal and leaves no half line behind', async () => {
  plane.on('GET /api/v1/events', play([installing(50), ended('install_succeeded', 'completed')]));
  const result = await watch([], { tty: true });
  expect(result.stdout).toContain('[###############---------------]  50 %');
  expect(result.stdout.endsWith('\u001b[2K')).toBe(true);
});

it('survives a broken stream, resumes where it was, and repeats nothing', async () => {
  plane.on(
    'GET /api/v1/events',
    play([EXAMPLE_TASK, installing(10), ended('install_succeeded', 'completed')], 2),
  );
  const result = await watch();
  expect(result.exitCode).toBe(0);
  expect(result.stderr).toContain('trying again');
  expect(result.stdout.split('install started')).toHaveLength(2);
  const streams = plane.requests.filter((request) => request.url.startsWith('/api/v1/events'));
  expect(streams.map((request) => request.headers['last-event-id'])).toEqual([undefined, '102']);
});

it('ends with --until as soon as the status is reached', async () => {
  plane.on('GET /api/v1/events', play([EXAMPLE_TASK]));
  expect((await watch(['--until', 'pending_approval'])).exitCode).toBe(0);
});

it('gives up on a control plane that stays away, and says so', async () => {
  await plane.close();
  const result = await watch(['--give-up', '1ms']);
  expect(result.exitCode).toBe(11);
  expect(result.stderr).toContain('--give-up');
  plane = await startScriptedControlPlane();
});

it('ends with 130 on Ctrl-C', async () => {
  const interrupt = new AbortController();
  plane.on('GET /api/v1/events', (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(': hello\n\n');
    interrupt.abort();
  });
  expect((await watch([], { signal: interrupt.signal })).exitCode).toBe(130);
});

it('writes one JSON document a change with -o json', async () => {
  plane.on('GET /api/v1/events', play([installing(10), ended('install_succeeded', 'completed')]));
  const { stdout } = await watch(['-o', 'json']);
  const statuses = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { status: string }).status);
  expect(statuses).toEqual(['installing', 'completed']);
});
