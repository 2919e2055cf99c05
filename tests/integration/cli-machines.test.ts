/** `lpmos machine boots` and `lpmos explain` against a scripted control plane: what is asked, what is shown, what is kept. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXAMPLE_OFFERED_BOOT, EXAMPLE_OFFERED_LINK } from '@lpmos/core/testing';
import { runLpmos } from './harness/cli-run';
import { json, startScriptedControlPlane } from './harness/scripted-control-plane';
import type { ScriptedControlPlane } from './harness/scripted-control-plane';

const MAC = '52:54:00:12:34:56';
const BOOTS = `/api/v1/machines/${encodeURIComponent(MAC)}/boots`;
const TASK = { task_id: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d', status: 'booting', attempt: 0 };
const entry = (seconds: number, change: Record<string, unknown>) => ({
  first_at: `2026-01-29T10:00:0${seconds}.000Z`,
  last_at: `2026-01-29T10:00:0${seconds}.000Z`,
  ...{ count: 1, protocol: 'dhcp', outcome: 'answered', peer: '0.0.0.0', decision: 'agent' },
  ...change,
});
const REGION_BOOTS = {
  region_id: 'dc1',
  online: true,
  boots: [
    entry(0, {
      stage: 'firmware',
      request: 'DHCPDISCOVER',
      count: 3,
      last_at: '2026-01-29T10:00:02.000Z',
      reason: 'DHCPOFFER 10.77.0.5',
    }),
    entry(3, { stage: 'firmware', request: 'DHCPREQUEST', reason: 'DHCPACK \u001b[2J10.77.0.5' }),
  ],
  dropped: 7,
  task: TASK,
  next_boot: { decision: 'agent', purpose: 'report', reason: 'the agent is to report the hardware' },
};
const BIOS_LINK = { ...EXAMPLE_OFFERED_LINK, loaders: { bios: 'undionly.kpxe' } };
const region = (more: Record<string, unknown>) => ({
  region_id: 'dc1',
  display_name: 'Frankfurt 1',
  tag: '5891b5b5',
  created_at: '2026-01-29T09:00:00.000Z',
  created_by: 'alice',
  online: true,
  images: [],
  services: ['dhcp'],
  ...more,
});
const notFound = json(404, {
  type: 'about:blank',
  title: 'Not Found',
  status: 404,
  code: 'not_found',
  detail: 'No region has seen it',
  request_id: 'r-1',
  errors: [],
});

const unavailable = json(503, {
  type: 'about:blank',
  title: 'Service Unavailable',
  status: 503,
  code: 'unavailable',
  detail: 'etcd is away',
  request_id: 'r-2',
  errors: [],
});

let plane: ScriptedControlPlane;
let folder: string;
beforeEach(async () => {
  plane = await startScriptedControlPlane();
  folder = mkdtempSync(join(tmpdir(), 'lpmos-cli-machines-'));
  plane.on(`GET ${BOOTS}`, json(200, { mac: MAC, regions: [REGION_BOOTS] }));
  plane.on('GET /api/v1/regions/dc1', json(200, region({ links: [BIOS_LINK], boot: EXAMPLE_OFFERED_BOOT })));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await plane.close();
});

const lpmos = (words: string) => runLpmos({ args: words.split(' '), url: plane.url, token: 'abc.def.ghi' });

describe('machine boots', () => {
  it('shows the boots in words, with hints, and no control characters of a machine', async () => {
    const { exitCode, stdout } = await lpmos('machine boots 5254.0012.3456');
    expect(exitCode).toBe(0);
    for (const part of [
      'region dc1',
      '7 older entries',
      'DHCPDISCOVER x3',
      'answered: agent',
      'would boot now: agent (report)',
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).toMatch(/look at: .*TFTP \(UDP 69\)/);
    expect(stdout).not.toContain('\u001b');
  });

  it('asks one region with --region and gives programs the document', async () => {
    const { stdout } = await lpmos(`machine boots ${MAC} --region dc1 -o json`);
    expect(plane.requests[0]?.url).toBe(`${BOOTS}?region_id=dc1`);
    expect(JSON.parse(stdout)).toMatchObject({ mac: MAC, regions: [{ region_id: 'dc1', dropped: 7 }] });
  });

  it('passes on what to check for a machine that nobody saw', async () => {
    plane.on(`GET ${BOOTS}`, notFound);
    expect(await lpmos(`machine boots ${MAC}`)).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('No region has seen it') as string,
    });
  });

  it('refuses what is no MAC before anything is sent', async () => {
    const { exitCode, stderr } = await lpmos('machine boots nonsense');
    expect([exitCode, plane.requests.length]).toEqual([2, 0]);
    expect(stderr).toContain('MAC must be');
  });

  it('follows until it is interrupted', async () => {
    const interrupted = new AbortController();
    let asked = 0;
    plane.on(`GET ${BOOTS}`, (request, response) => {
      asked += 1;
      const boots =
        asked === 1
          ? REGION_BOOTS.boots
          : [...REGION_BOOTS.boots, entry(9, { protocol: 'tftp', request: 'RRQ late.file', reason: 'sent' })];
      json(200, { mac: MAC, regions: [{ ...REGION_BOOTS, boots }] })(request, response);
      if (asked === 3) interrupted.abort();
    });
    const args = ['machine', 'boots', MAC, '--follow'];
    const { exitCode, stdout } = await runLpmos({
      args,
      url: plane.url,
      token: 'a.b.c',
      signal: interrupted.signal,
    });
    expect(exitCode).toBe(130);
    expect(stdout.match(/RRQ late\.file/g)).toHaveLength(1);
  });

  it('goes on following when the control plane is away for a moment', async () => {
    const interrupted = new AbortController();
    let asked = 0;
    plane.on(`GET ${BOOTS}`, (request, response) => {
      asked += 1;
      if (asked === 2) return unavailable(request, response);
      const late = entry(9, { protocol: 'tftp', request: 'RRQ late.file', reason: 'sent' });
      const boots = asked === 1 ? REGION_BOOTS.boots : [...REGION_BOOTS.boots, late];
      json(200, { mac: MAC, regions: [{ ...REGION_BOOTS, boots }] })(request, response);
      if (asked === 4) interrupted.abort();
    });
    const { exitCode, stdout, stderr } = await runLpmos({
      args: ['machine', 'boots', MAC, '--follow'],
      ...{ url: plane.url, token: 'a.b.c', signal: interrupted.signal },
    });
    expect(exitCode).toBe(130);
    expect(stderr).toContain('trying again');
    expect(stdout.match(/RRQ late\.file/g)).toHaveLength(1);
  });

  it('refuses --follow for programs, which would wait for a document', async () => {
    const { exitCode, stderr } = await lpmos(`machine boots ${MAC} --follow -o json`);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('--follow')]);
  });
});

describe('explain', () => {
  it('replays the usual firmwares with the links of the region', async () => {
    const { exitCode, stdout } = await lpmos(`explain --mac ${MAC}`);
    expect(exitCode).toBe(0);
    for (const part of [
      'as if it were bios',
      'as if it were uefi-x64',
      'undionly.kpxe',
      'no TFTP loader',
      'lpmos.ticket=TICKET-OF-THAT-MOMENT',
    ]) {
      expect(stdout).toContain(part);
    }
  });

  it('saves its inputs and replays them without a control plane', async () => {
    const file = join(folder, 'case.json');
    const first = await lpmos(`explain --mac ${MAC} --as-if ipxe-bios --save ${file} -o json`);
    await plane.close();
    const second = await lpmos(`explain --from ${file} --as-if ipxe-bios -o json`);
    expect(second.exitCode).toBe(0);
    expect(second.stdout).toBe(first.stdout);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ mac: MAC, region_id: 'dc1', task: TASK });
    plane = await startScriptedControlPlane();
  });

  it('explains a stranger in the only region there is', async () => {
    plane.on(`GET ${BOOTS}`, notFound);
    plane.on('GET /api/v1/regions', json(200, { regions: [region({})] }));
    const { exitCode, stdout } = await lpmos(`explain --mac ${MAC} --as-if bios`);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('decision: silent')]);
  });

  it.each([
    ['--as-if', `explain --mac ${MAC} --as-if dos`],
    ['--mac', 'explain'],
    ['--from', 'explain --from /nowhere/case.json'],
    ['--from', `explain --from x.json --mac ${MAC}`],
    ['--save', `explain --mac ${MAC} --save /nowhere/case.json`],
  ])('refuses a wrong %s by name', async (option, words) => {
    expect(await lpmos(words)).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringContaining(option) as string,
    });
  });

  it('asks for the region when several may be meant', async () => {
    plane.on(
      `GET ${BOOTS}`,
      json(200, { mac: MAC, regions: [REGION_BOOTS, { ...REGION_BOOTS, region_id: 'dc2' }] }),
    );
    expect((await lpmos(`explain --mac ${MAC}`)).stderr).toContain(
      '--region is needed: the machine may be in dc1, dc2',
    );
  });

  it('says why a region without published links cannot be explained', async () => {
    plane.on('GET /api/v1/regions/dc1', json(200, region({})));
    const { exitCode, stderr } = await lpmos(`explain --mac ${MAC}`);
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('has not published its links')]);
  });
});
