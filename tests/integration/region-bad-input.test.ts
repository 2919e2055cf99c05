/**
 * The region's HTTP door with a real daemon, control plane and etcd: what a tiny agent may say, and what anybody who says something else gets:
 * an answer that names field, problem and fix, and a daemon that goes on.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fleetMac } from '@lpmos/simulator';
import type { TaskId } from '@lpmos/core';
import { orderInstall, untilStatus } from '../chaos/harness/life';
import { startSite } from '../chaos/harness/site';
import type { Site } from '../chaos/harness/site';
import { callAgentApi, fetchScript, fetchTicket, reportOf } from './harness/region-agent';
import type { AgentCall } from './harness/region-agent';

jest.setTimeout(60_000);

const REPORT = '/api/v1/agent/report';
const STATUS = '/api/v1/agent/status';
let site: Site;
let machines = 0;
beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

async function machine(): Promise<{ mac: string; id: TaskId; ticket: string }> {
  const mac = fleetMac(300, (machines += 1));
  const id = await orderInstall(site.stack.api, mac);
  await untilStatus(site, id, 'ready');
  const ticket = await fetchTicket(site, mac);
  // Asking for the script is the first boot contact.
  await untilStatus(site, id, 'booting');
  return { mac, id, ticket };
}

describe('a tiny agent', () => {
  it('reports, hears that it is to wait once that is durable, and may say it again', async () => {
    const { mac, id, ticket } = await machine();
    const said = { path: REPORT, token: ticket, body: reportOf(mac) };
    expect(await callAgentApi(site, said)).toMatchObject({
      status: 200,
      body: { status: 'received', task_id: id, next_action: 'wait_for_approval' },
    });
    const task = await untilStatus(site, id, 'pending_approval');
    expect(task.hardware?.report.mac_address).toBe(mac);
    expect((await callAgentApi(site, { ...said, body: { ...said.body, task_id: id } })).status).toBe(200);
    expect(site.tasks.get(id)?.timeline.filter(({ event }) => event === 'hardware_reported')).toHaveLength(1);
  });

  it('that was not ordered to install cannot say that it has', async () => {
    const { mac, id, ticket } = await machine();
    await callAgentApi(site, { path: REPORT, token: ticket, body: reportOf(mac) });
    const before = await untilStatus(site, id, 'pending_approval');
    for (const status of ['installing', 'completed', 'failed']) {
      const body = { mac_address: mac, task_id: id, status };
      const answer = await callAgentApi(site, { path: STATUS, token: ticket, body });
      expect(answer).toMatchObject({ status: 409, body: { code: 'not_allowed_in_state' } });
      expect(String(answer.body['detail'])).toContain('pending_approval');
    }
    expect(site.tasks.get(id)?.version).toBe(before.version);
  });

  it('of an ended task opens nothing, and its machine boots its disk', async () => {
    const { mac, id, ticket } = await machine();
    await site.stack.api.cancelTask(id);
    await untilStatus(site, id, 'cancelled');
    const answer = await callAgentApi(site, { path: REPORT, token: ticket, body: reportOf(mac) });
    expect(answer).toMatchObject({ status: 409, body: { code: 'not_allowed_in_state' } });
    expect(await fetchScript(site, mac)).not.toContain('lpmos.ticket');
  });
});

describe('the door', () => {
  let mac: string;
  let id: TaskId;
  let ticket: string;
  beforeAll(async () => {
    ({ mac, id, ticket } = await machine());
  });
  const status = (): Record<string, unknown> => ({ mac_address: mac, task_id: id, status: 'installing' });
  const report = (): Record<string, unknown> => reportOf(mac);

  it.each<[string, () => AgentCall, number, string[]]>([
    ['no body at all', () => ({ path: REPORT, body: '' }), 400, ['JSON']],
    ['a body that is no JSON', () => ({ path: REPORT, body: '{' }), 400, ['JSON']],
    ['a body that is no object', () => ({ path: REPORT, body: [] }), 400, ['JSON object']],
    ['null', () => ({ path: STATUS, body: 'null' }), 400, ['JSON object']],
    ['missing fields', () => ({ path: REPORT, body: {} }), 400, ['mac_address', 'hardware', 'is required']],
    ['missing fields', () => ({ path: STATUS, body: {} }), 400, ['mac_address', 'task_id', 'status']],
    [
      'unknown fields',
      () => ({ path: REPORT, body: { ...report(), root: 1 } }),
      400,
      ['root', 'is not known'],
    ],
    ['a text as hardware', () => ({ path: REPORT, body: { ...report(), hardware: 'x' } }), 400, ['hardware']],
    [
      'hardware without anything',
      () => ({ path: REPORT, body: { ...report(), hardware: {} } }),
      400,
      ['hardware'],
    ],
    [
      'hardware of wrong types',
      () => ({ path: REPORT, body: { ...report(), hardware: { cpu: 7, disks: 'none', memory: [] } } }),
      400,
      ['hardware'],
    ],
    [
      'an object as MAC',
      () => ({ path: REPORT, body: { ...report(), mac_address: {} } }),
      400,
      ['mac_address'],
    ],
    [
      'a status that is none',
      () => ({ path: STATUS, body: { ...status(), status: 'fine' } }),
      400,
      ['status'],
    ],
    ['a number as status', () => ({ path: STATUS, body: { ...status(), status: 7 } }), 400, ['status']],
    [
      'progress in words',
      () => ({ path: STATUS, body: { ...status(), progress: 'half' } }),
      400,
      ['progress'],
    ],
    [
      'progress beyond all',
      () => ({ path: STATUS, body: { ...status(), progress: 101 } }),
      400,
      ['progress'],
    ],
    [
      'another machine',
      () => ({ path: REPORT, body: reportOf('02:00:00:00:00:99') }),
      403,
      ['another machine'],
    ],
    ['a task that is none', () => ({ path: STATUS, body: { ...status(), task_id: 'x' } }), 400, ['task_id']],
    ['a token that is none', () => ({ path: REPORT, body: report(), token: 'x' }), 400, ['task_id']],
    ['a forged ticket', () => ({ path: REPORT, body: report(), token: `${ticket}x` }), 401, ['not made by']],
    [
      'a ticket as check-in token',
      () => ({ path: STATUS, body: { ...status(), status: 'host_up' } }),
      401,
      ['check-in token'],
    ],
    ['a form', () => ({ path: REPORT, body: 'a=b', contentType: 'text/plain' }), 415, ['application/json']],
    ['more than a report', () => ({ path: REPORT, body: { a: 'x'.repeat(300_000) } }), 413, ['262144']],
    ['another path', () => ({ path: '/api/v1/agent/nonsense' }), 404, ['There is no POST']],
    ['another method', () => ({ path: REPORT, method: 'DELETE' }), 404, ['There is no DELETE']],
  ])('answers %s with words', async (_what, call, code, words) => {
    const answer = await callAgentApi(site, { token: ticket, ...call() });
    expect(answer.status).toBe(code);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    for (const word of words) expect(JSON.stringify(answer.body)).toContain(word);
    expect(site.tasks.get(id)?.status).toBe('booting');
  });

  it('asks for a bearer token', async () => {
    const answer = await callAgentApi(site, { path: REPORT, body: report() });
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  });

  it('shows nobody a ticket or a token in its log', () => {
    const log = site.daemonLines.join('\n');
    expect(log).toContain('task moved');
    expect(log).not.toContain(ticket);
  });

  it('is well after all that', async () => {
    const answer = await callAgentApi(site, { path: '/health', method: 'GET' });
    expect(answer).toMatchObject({
      status: 200,
      body: { status: 'healthy', leadership: 'leading', services: { dhcp: 'running', agent: 'running' } },
    });
  });
});

describe('a daemon that cannot start', () => {
  const start = (env: Record<string, string>): { code: number | null; text: string } => {
    const { keys } = site.stack;
    const path = join(site.programsDir, 'bin', 'lpmos-regional-daemon.cjs');
    const { status, stderr } = spawnSync(process.execPath, [path], {
      encoding: 'utf8',
      timeout: 20_000,
      env: {
        ...{ LPMOS_REGION_ID: 'chaos', LPMOS_NODE_NAME: 'n2', LPMOS_SERVICE_ADDRESS: '127.0.0.1' },
        ...{ LPMOS_ETCD_ENDPOINTS: site.stack.etcd.endpoint, LPMOS_STATE_DIR: join(site.dir, 'second') },
        ...{ LPMOS_AGENT_CA_FILE: keys.caFile, LPMOS_AGENT_CERT_FILE: keys.agentCertFile },
        ...{ LPMOS_AGENT_KEY_FILE: keys.agentKeyFile, LPMOS_AGENT_TLS_NAME: keys.tlsName },
        ...{ LPMOS_GRANT_PUBLIC_KEY_FILE: keys.grantPublicKeyFile, LPMOS_TFTP_PORT: '0' },
        ...{ LPMOS_HTTP_PORT: '0', LPMOS_AGENT_API_PORT: '0', LPMOS_AGENT_GRPC_PORT: '0' },
        ...env,
      },
    });
    return { code: status, text: stderr };
  };

  it('names every setting that is unknown or wrong', () => {
    const { code, text } = start({
      LPMOS_HTTP_PROT: '80',
      LPMOS_HTTP_PORT: 'x',
      LPMOS_AGENT_CA_FILE: '/none',
    });
    expect(code).toBe(78);
    for (const name of ['LPMOS_HTTP_PROT', 'LPMOS_HTTP_PORT=x', 'LPMOS_AGENT_CA_FILE=/none']) {
      expect(text).toContain(name);
    }
  });

  it.each([
    ['tftp', 'LPMOS_TFTP_PORT'],
    ['http', 'LPMOS_HTTP_PORT'],
    ['agent_api', 'LPMOS_AGENT_API_PORT'],
    ['agent_grpc', 'LPMOS_AGENT_GRPC_PORT'],
  ])('names the taken port of %s, and leaves the leader alone', async (service, variable) => {
    const port = String(site.stack.daemonPorts[service]);
    const { code, text } = start({ [variable]: port });
    expect(code).toBe(1);
    expect(text).toContain('EADDRINUSE');
    expect(text).toContain(port);
    expect((await callAgentApi(site, { path: '/health', method: 'GET' })).body['leader']).toBe('node1');
  });
});
