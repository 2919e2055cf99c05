/** The command line against a scripted control plane: what is sent, what is shown, how it ends. */
import { EXAMPLE_IMAGE, EXAMPLE_TASK } from '@lpmos/cli';
import { runLpmos } from './harness/cli-run';
import type { CliRunResult } from './harness/cli-run';
import { inTurn, json, startScriptedControlPlane } from './harness/scripted-control-plane';
import type { ScriptedControlPlane } from './harness/scripted-control-plane';

const ID = EXAMPLE_TASK.task_id;
const TASK = `/api/v1/tasks/${ID}`;
const REGION = {
  region_id: 'dc1',
  display_name: 'Frankfurt 1',
  tag: '5891b5b5',
  created_at: '2026-01-29T09:00:00.000Z',
  created_by: 'alice',
  online: true,
  images: [EXAMPLE_IMAGE],
  services: ['dhcp'],
};
const summary = (id: string) => ({
  task_id: id,
  status: 'ready',
  region_id: 'dc1',
  created_at: '2026-01-29T10:00:00.000Z',
});
const page = (...ids: string[]) =>
  json(200, { tasks: ids.map(summary), total: ids.length, limit: 200, offset: 0 });

let plane: ScriptedControlPlane;
beforeEach(async () => {
  plane = await startScriptedControlPlane();
  plane.on(`GET ${TASK}`, json(200, EXAMPLE_TASK));
  plane.on('GET /api/v1/regions/dc1', json(200, REGION));
});
afterEach(() => plane.close());

function lpmos(
  args: readonly string[],
  more: { tty?: boolean; answer?: string } = {},
): Promise<CliRunResult> {
  return runLpmos({ args, url: plane.url, token: 'abc.def.ghi', ...more });
}
const writes = () => plane.requests.filter((request) => request.method !== 'GET');

describe('task create', () => {
  it('sends the request of the contract and prints the id alone on stdout', async () => {
    plane.on(
      'POST /api/v1/tasks',
      json(201, {
        task_id: ID,
        status: 'pending',
        created_at: '2026-01-29T10:00:00.000Z',
        links: { self: TASK, approve: `${TASK}/approve` },
      }),
    );
    const words =
      'task create --region dc1 --mac 001A.2B3C.4D5E --os debian --os-version 12 --tag a=b --tag c=d=e';
    const result = await lpmos([...words.split(' '), '--idempotency-key', 'k1']);
    expect(result).toMatchObject({ exitCode: 0, stdout: `${ID}\n` });
    expect(writes()[0]?.body).toEqual({
      region_id: 'dc1',
      target_mac: '00:1a:2b:3c:4d:5e',
      os_type: 'debian',
      os_version: '12',
      disk_layout: 'auto',
      network_config: 'dhcp',
      tags: { a: 'b', c: 'd=e' },
    });
    expect(writes()[0]?.headers).toMatchObject({
      'idempotency-key': 'k1',
      authorization: 'Bearer abc.def.ghi',
    });
  });

  it('names every invalid field, the code and the exit code of a refusal', async () => {
    plane.on(
      'POST /api/v1/tasks',
      json(400, {
        type: 'about:blank',
        title: 'Bad Request',
        status: 400,
        code: 'invalid_argument',
        detail: 'The request has 2 problems',
        errors: [
          { path: 'region_id', problem: 'is not registered' },
          { path: 'os_type', problem: 'must be a word' },
        ],
        request_id: 'r-1',
      }),
    );
    const words = 'task create --region nope --mac 00:1a:2b:3c:4d:5e --os ??? --os-version 12';
    const result = await lpmos(words.split(' '));
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toBe('');
    for (const part of ['region_id: is not registered', 'os_type: must be a word', 'r-1']) {
      expect(result.stderr).toContain(part);
    }
  });

  it.each([
    ['--mac', 'task create --region dc1 --mac ff:ff:ff:ff:ff:ff --os debian --os-version 12'],
    [
      '--disk',
      'task create --region dc1 --mac 00:1a:2b:3c:4d:5e --os debian --os-version 12 --disk /dev/sda',
    ],
    ['--tag', 'task create --region dc1 --mac 00:1a:2b:3c:4d:5e --os debian --os-version 12 --tag x'],
    ['--os-version', 'task create --region dc1 --mac 00:1a:2b:3c:4d:5e --os debian'],
    ['--timeout', 'task list --timeout soon'],
    ['--limit', 'task list --limit 0'],
    ['--status', 'task list --status done'],
    ['--output', 'task list -o yaml'],
  ])('refuses a wrong %s before anything is sent', async (option, words) => {
    const result = await lpmos(words.split(' '));
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(option);
    expect(plane.requests).toHaveLength(0);
  });
});

describe('task references', () => {
  const other = '5891b5b5-9999-8df0-86d0-ff0b110fbd9d';

  it.each(['@latest', '5891b5b5-22', '22d5', '22D5-8DF0'])('%s finds the task', async (reference) => {
    plane.on('GET /api/v1/tasks', page(ID, other));
    const result = await lpmos(['task', 'show', reference, '-o', 'json']);
    expect(result.exitCode).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ task_id: ID });
  });

  it.each([
    ['5891b5b5', 2, 'give more digits'],
    ['ffff', 5, 'No task id starts with'],
    ['22', 2, 'at least 4'],
    ['../x', 2, 'must be a task id'],
  ])('%s ends with %d', async (reference, exitCode, words) => {
    plane.on('GET /api/v1/tasks', page(ID, other));
    const result = await lpmos(['task', 'show', reference]);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).toContain(words);
  });

  it('looks through all pages', async () => {
    plane.on(
      'GET /api/v1/tasks',
      inTurn(
        json(200, { tasks: [summary(other)], total: 2, limit: 200, offset: 0, next_cursor: other }),
        page(ID),
      ),
    );
    expect((await lpmos(['task', 'show', '22d5'])).exitCode).toBe(0);
    expect(plane.requests[1]?.url).toContain(`cursor=${other}`);
  });
});

describe('task approve', () => {
  beforeEach(() => {
    plane.on(
      `PUT ${TASK}/approve`,
      json(200, { task_id: ID, approval: { status: 'approved' }, next_status: 'installing' }),
    );
  });

  it('shows what is destroyed, asks, and binds the approval to the version shown', async () => {
    const result = await lpmos(['task', 'approve', ID, '--notes', 'ok'], { tty: true, answer: 'yes' });
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toMatch(/\/dev\/sda.*WILL BE DESTROYED/);
    expect(result.questions).toEqual([expect.stringContaining('S4EVNX0M')]);
    expect(writes()[0]?.headers['if-match']).toBe('"4711"');
    expect(writes()[0]?.body).toEqual({ approved: true, notes: 'ok' });
  });

  it.each(['', 'no', 'y'])('changes nothing when the answer is "%s"', async (answer) => {
    const result = await lpmos(['task', 'approve', ID], { tty: true, answer });
    expect(result.exitCode).toBe(23);
    expect(result.stderr).toContain('Not approved');
    expect(writes()).toHaveLength(0);
  });

  it('wants --yes without a terminal', async () => {
    expect((await lpmos(['task', 'approve', ID])).exitCode).toBe(2);
    expect(plane.requests).toHaveLength(0);
    expect((await lpmos(['task', 'approve', ID, '--yes', '--disk', 'serial=Z1X2Y3'])).exitCode).toBe(0);
    expect(writes()[0]?.body).toEqual({ approved: true, target_disk: 'serial=Z1X2Y3' });
  });

  it('refuses without asking when no single disk matches', async () => {
    const result = await lpmos(['task', 'approve', ID, '--disk', 'serial=none'], {
      tty: true,
      answer: 'yes',
    });
    expect(result).toMatchObject({ exitCode: 7, questions: [] });
    expect(writes()).toHaveLength(0);
  });

  it('refuses a task that is not waiting for approval', async () => {
    plane.on(`GET ${TASK}`, json(200, { ...EXAMPLE_TASK, status: 'installing' }));
    expect((await lpmos(['task', 'approve', ID, '--yes'])).exitCode).toBe(7);
    expect(writes()).toHaveLength(0);
  });

  it('says to look again when the task changed meanwhile', async () => {
    plane.on(`PUT ${TASK}/approve`, json(412, { code: 'stale', detail: 'version 4711 is old', status: 412 }));
    const result = await lpmos(['task', 'approve', ID, '--yes']);
    expect(result.exitCode).toBe(8);
    expect(result.stderr).toContain('next: look again');
  });
});

describe('the other commands', () => {
  it('task list prints aligned columns, and one JSON document with -o json', async () => {
    plane.on('GET /api/v1/tasks', page(ID));
    const table = await lpmos('task list --status ready,booting --tag a=b'.split(' '));
    expect(table.stdout.split('\n')[0]).toMatch(/^TASK\s+STATUS\s+REGION/);
    expect(plane.requests[0]?.url).toContain('status=ready%2Cbooting');
    expect(plane.requests[0]?.url).toContain('tag=a%3Ab');
    expect(JSON.parse((await lpmos(['task', 'list', '-o', 'json'])).stdout)).toMatchObject({ total: 1 });
  });

  it('task reject sends the reason', async () => {
    const approval = { status: 'rejected', rejected_by: 'a', rejected_at: 't', reason: 'wrong machine' };
    plane.on(`PUT ${TASK}/reject`, json(200, { task_id: ID, approval }));
    expect((await lpmos(['task', 'reject', ID, '--reason', 'wrong machine'])).exitCode).toBe(0);
    expect(writes()[0]?.body).toEqual({ reason: 'wrong machine' });
  });

  it('task cancel says when the cancellation is only asked for', async () => {
    plane.on(`DELETE ${TASK}`, json(204, undefined));
    plane.on(`GET ${TASK}`, json(200, { ...EXAMPLE_TASK, status: 'installing' }));
    expect((await lpmos(['task', 'cancel', ID])).stderr).toContain('next safe point');
  });

  it('task explain prints every fact', async () => {
    const explanation = {
      task_id: ID,
      status: 'ready',
      sentence: 'The region serves it.',
      whose_move: 'machine',
      since: 't',
      stalled: false,
      region: { region_id: 'dc1', online: true },
      next_boot: { decision: 'agent', purpose: 'report', reason: 'because' },
      allowed_now: [{ event: 'cancelled', sentence: 'Cancelled.', request: 'DELETE' }],
    };
    plane.on(`GET ${TASK}/explain`, json(200, explanation));
    const { stdout } = await lpmos(['task', 'explain', ID]);
    for (const fact of ['machine', 'because', 'DELETE']) expect(stdout).toContain(fact);
  });

  it('region list, show and create', async () => {
    plane.on('GET /api/v1/regions', json(200, { regions: [REGION] }));
    plane.on('POST /api/v1/regions', json(201, REGION));
    expect((await lpmos(['region', 'list'])).stdout).toMatch(/dc1\s+Frankfurt 1\s+online\s+-\s+debian 12/);
    expect((await lpmos(['region', 'show', 'dc1'])).stdout).toContain('5891b5b5');
    expect((await lpmos(['region', 'create', 'DC_1'])).exitCode).toBe(2);
    expect((await lpmos(['region', 'create', 'dc1', '--name', 'Frankfurt 1'])).exitCode).toBe(0);
    expect(writes().map((request) => request.body)).toEqual([
      { region_id: 'dc1', display_name: 'Frankfurt 1' },
    ]);
  });

  it('shows neither the token nor a stack when refused', async () => {
    plane.on(
      'GET /api/v1/regions',
      json(401, { code: 'unauthenticated', detail: 'The token expired', status: 401 }),
    );
    const result = await lpmos(['region', 'list']);
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toContain('lpmos token create');
    expect(result.stderr).not.toMatch(/abc\.def|at .*\.ts/);
  });

  it('asks whether the control plane runs when nothing listens', async () => {
    await plane.close();
    const result = await lpmos(['region', 'list']);
    expect(result.exitCode).toBe(11);
    expect(result.stderr).toContain(plane.url);
    expect(result.stderr).toContain('does it run there?');
    plane = await startScriptedControlPlane();
  });
});
