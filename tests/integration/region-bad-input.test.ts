/**
 * The region's HTTP door with a real daemon, control plane and etcd: what a tiny agent may say, and what anybody who says something else gets:
 * an answer that names field, problem and fix, and a daemon that goes on.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fleetMac } from '@lpmos/simulator';
import type { TaskId } from '@lpmos/core';
import { orderInstall, untilStatus } from '../chaos/harness/life';
import { startSite } from '../chaos/harness/site';
import type { Site } from '../chaos/harness/site';
import { callAgentApi, fetchScript, fetchTicket, reportOf } from './harness/region-agent';
import type { AgentCall } from './harness/region-agent';
import { itWhen } from './harness/it-when';

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

/** Why no right is needed here, or undefined. */
function lowPortsAreFree(): string | undefined {
  const start = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  return start <= 80 ? 'this host gives ports below 1024 to everybody' : undefined;
}

describe('a daemon that cannot start', () => {
  const start = (
    env: Record<string, string>,
    [command = process.execPath, ...args]: readonly string[] = [
      process.execPath,
      join(site.programsDir, 'bin', 'lpmos-regional-daemon.cjs'),
    ],
  ): { code: number | null; text: string } => {
    const { keys } = site.stack;
    const { status, stderr } = spawnSync(command, args, {
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

  it('refuses keys that do not fit, beside what is wrong with its links', () => {
    const { keys } = site.stack;
    const { code, text } = start({
      LPMOS_AGENT_TLS_NAME: 'region.elsewhere.example.com',
      LPMOS_GRANT_PUBLIC_KEY_FILE: keys.grantKeyFile,
      LPMOS_DHCP_LINKS: JSON.stringify([{ subnet: '127.0.0.0/8', interface: 'nix0' }]),
    });
    expect(code).toBe(78);
    for (const part of ['is no name in the certificate', 'holds a private key', 'nix0']) {
      expect(text).toContain(part);
    }
  });

  it('refuses a partner that is itself, and one with whom it shares no secret', () => {
    const partner = { LPMOS_PARTNER_ADDRESS: '127.0.0.1' };
    const alone = start(partner);
    expect([alone.code, alone.text]).toEqual([
      78,
      expect.stringContaining('partner_address 127.0.0.1 is that of this daemon'),
    ]);
    expect(alone.text).toContain('region_secret_file is required beside partner_address');
    const { text } = start({ LPMOS_PARTNER_ADDRESS: '127.0.0.2', LPMOS_REGION_SECRET_FILE: '/none/secret' });
    expect(text).toContain(
      'region_secret_file /none/secret is not there; make it on one host with "openssl rand -out',
    );
  });

  it('refuses the name that the links had, with what has changed', () => {
    const { code, text } = start({ LPMOS_DHCP_LINK: '{"subnet":"10.77.0.0/24"}' });
    expect(code).toBe(78);
    expect(text).toContain('LPMOS_DHCP_LINK is now LPMOS_DHCP_LINKS (dhcp_links in a file): a list');
  });

  it('names everything that is wrong with its links, on this host and in the files of the site', () => {
    const { code, text } = start({
      LPMOS_DHCP_LINKS: JSON.stringify([
        {
          name: 'a',
          interface: 'nix0',
          subnet: '127.0.0.0/8',
          pool: { first: '126.0.0.1', last: '127.0.0.9' },
        },
        { name: 'b', subnet: '127.5.0.0/16', service_address: '192.0.2.77', relays: ['127.5.0.1'] },
      ]),
      LPMOS_LOADERS: JSON.stringify({ arm64: '/none/loader.efi' }),
      LPMOS_HTTP_PORT: String(site.stack.daemonPorts['http']),
    });
    expect(code).toBe(78);
    for (const words of [
      'dhcp_links[0].pool.first is outside of the subnet',
      'dhcp_links[0].interface nix0 is not there; this host has lo',
      'dhcp_links[1].subnet 127.5.0.0/16 overlaps 127.0.0.0/8 of dhcp_links[0]',
      'dhcp_links[1].service_address 192.0.2.77 is no address of this host',
      'LPMOS_LOADERS: arm64: ',
      'http_port HTTP boot cannot have TCP',
    ]) {
      expect(text).toContain(words);
    }
  });

  it.each([
    ['the region', { LPMOS_UEFI_CHAIN: 'grub' }],
    ['a link', { LPMOS_DHCP_LINKS: '[{"subnet":"127.0.0.0/8","uefi_chain":"grub","mode":"external"}]' }],
  ])(
    'names the signed loaders that are not there once %s has chosen them, and their packages',
    (_who, chosen) => {
      const { code, text } = start({
        ...chosen,
        LPMOS_SHIM_FILE: '/none/shim',
        LPMOS_GRUB_FILE: '/none/grub',
      });
      expect(code).toBe(78);
      expect(text).toContain('shim_file: /none/shim does not exist; install the Debian package shim-signed');
      expect(text).toContain(
        'grub_file: /none/grub does not exist; install the Debian package grub-efi-amd64-signed',
      );
    },
  );

  itWhen(lowPortsAreFree())('names the ways to a port that needs a right', () => {
    const path = join(site.programsDir, 'bin', 'lpmos-regional-daemon.cjs');
    const without = ['setpriv', '--bounding-set=-net_bind_service', '--inh-caps=-net_bind_service'];
    const { code, text } = start({ LPMOS_TFTP_PORT: '69', LPMOS_HTTP_PORT: '80' }, [
      ...(process.getuid?.() === 0 ? without : []),
      process.execPath,
      path,
    ]);
    expect(code).toBe(78);
    for (const words of [
      'tftp_port',
      'http_port',
      'setcap cap_net_bind_service',
      'ip_unprivileged_port_start=69',
    ]) {
      expect(text).toContain(words);
    }
    expect(text).toContain('deploy/dhcp-socket.sh');
  });

  it.each([
    ['tftp', 'LPMOS_TFTP_PORT'],
    ['http', 'LPMOS_HTTP_PORT'],
    ['agent_api', 'LPMOS_AGENT_API_PORT'],
    ['agent_grpc', 'LPMOS_AGENT_GRPC_PORT'],
  ])('names the taken port of %s, and leaves the leader alone', async (service, variable) => {
    const port = String(site.stack.daemonPorts[service]);
    const { code, text } = start({ [variable]: port });
    expect(code).toBe(78);
    expect(text).toContain('EADDRINUSE');
    expect(text).toContain(port);
    // Our own daemon has it.
    expect(text).toContain(`node (pid ${site.stack.daemon.pid}) has it`);
    expect((await callAgentApi(site, { path: '/health', method: 'GET' })).body['leader']).toBe('node1');
  });
});
