/** Whole lives of simulated machines over real sockets: netboot's servers, a scripted gateway, a check-in door. */
import {
  createMachine,
  flippedBitAt,
  linkBreakAt,
  MACHINE_POINTS,
  powerCutAt,
  runFleet,
  secondDiskAt,
  swappedDiskAt,
  when,
  writeErrorAt,
} from '@lpmos/simulator';
import type { Machine, MachineOptions, MachinePoint } from '@lpmos/simulator';
import { startScriptedRegion } from './harness/scripted-region';
import type { ScriptedRegion } from './harness/scripted-region';
import type { ScriptedRegionOptions } from './harness/scripted-task';

const MAC = '02:00:00:00:00:01';
const DISK_BYTES = 8 * 1024 * 1024;

let region: ScriptedRegion | undefined;
let machine: Machine | undefined;

async function scene(options: ScriptedRegionOptions = {}, machineOptions: Partial<MachineOptions> = {}) {
  const started = await startScriptedRegion(options);
  region = started;
  const made = createMachine({
    mac: MAC,
    seed: 7,
    diskBytes: DISK_BYTES,
    network: started.network,
    relay: started.relay,
    timeScale: 0.05,
    lifeMs: 25_000,
    ...machineOptions,
  });
  machine = made;
  return { region: started, machine: made, task: started.addTask(MAC) };
}

afterEach(async () => {
  await machine?.close();
  await region?.stop();
  machine = undefined;
  region = undefined;
});

const stagesOf = (made: Machine): string[] => [...new Set(made.events.map((event) => event.stage))];

describe('a whole life', () => {
  it('installs, reboots from its disk and checks in', async () => {
    const { region: lab, machine: made, task } = await scene();
    const outcome = await made.powerOn();
    expect(outcome).toMatchObject({ kind: 'host-up', boots: 2 });
    expect(lab.problems).toEqual([]);
    expect(task).toMatchObject({ state: 'completed', attempt: 1, hellos: ['ticket'] });
    expect(task.results).toMatchObject([{ success: true, attempt: 1, diskTouched: true }]);
    expect(await made.disk.sha256(lab.raw.length)).toBe(lab.rawSha256);
    expect(made.disk.history()).toMatchObject([{ bytesWritten: lab.raw.length, ended: 'finished' }]);
    expect(made.disk.violations).toEqual([]);
    expect(made.disk.system()).toMatchObject({ hostname: 'node-1', rootPartitionLabel: 'root' });
    expect(task.checkIns).toEqual([
      {
        mac_address: MAC,
        task_id: task.id,
        status: 'host_up',
        progress: 100,
        message: 'node-1 runs from its disk',
      },
    ]);
    expect(stagesOf(made)).toEqual([
      'power',
      'firmware',
      'dhcp',
      'script',
      'kernel',
      'agent',
      'disk',
      'check-in',
    ]);
  });
});

describe('the way to the agent', () => {
  it.each(['bios', 'uefi'] as const)('loads iPXE by TFTP where the ROM is none: %s', async (firmware) => {
    const { region: lab, machine: made } = await scene({}, { rom: 'pxe', firmware });
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up' });
    const loader = made.events.find((event) => event.stage === 'loader');
    expect(loader?.data).toEqual({ bytes: 70_001, sha256: lab.loaderSha256 });
  });

  it('gives one address to all stages and all boots of a machine', async () => {
    const { machine: made } = await scene({}, { rom: 'pxe' });
    await made.powerOn();
    const bound = made.events.flatMap(({ detail }) => /^bound (\S+),/.exec(detail)?.[1] ?? []);
    expect(bound).toHaveLength(4);
    expect(new Set(bound).size).toBe(1);
  });

  it('tells the server what iPXE tells it', async () => {
    const { region: lab, machine: made } = await scene();
    await made.powerOn();
    const menus = lab.bootEvents.filter(({ request }) => request.startsWith('GET /boot/menu.ipxe'));
    expect(menus[0]?.request).toContain(`mac=${MAC}`);
    expect(menus[0]?.request).toContain(`uuid=${made.hardware().system.uuid}`);
    expect(menus[0]?.request).toContain('platform=pcbios');
  });

  it('boots the disk, which is blank, when the region has nothing for it', async () => {
    const { machine: made } = await scene({
      decide: () => ({ kind: 'silent', reason: 'not ours' }),
    });
    expect(await made.powerOn()).toMatchObject({ kind: 'no-bootable-device', boots: 1 });
  });

  it('asks again while the region cannot know, then boots', async () => {
    let asked = 0;
    const { machine: made } = await scene({
      decide: () =>
        (asked += 1) < 6 ? { kind: 'wait', retryAfterSeconds: 1, reason: 'no view yet' } : undefined,
    });
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up', boots: 2 });
    expect(made.events.filter(({ detail }) => detail.includes('asks again')).length).toBeGreaterThan(1);
  });

  it('stands at a message when the region forgot the site files', async () => {
    const { machine: made, task } = await scene({ siteFiles: 'none' });
    expect(await made.powerOn()).toMatchObject({
      kind: 'stuck',
      detail: expect.stringContaining('/lpmos/site/ca.pem') as string,
    });
    expect(task.reports).toEqual([]);
  });

  it('gives up when nobody answers DHCP', async () => {
    const { region: lab } = await scene();
    const lonely = createMachine({
      mac: MAC,
      seed: 1,
      timeScale: 0.01,
      network: { ...lab.network, dhcpServer: { address: '127.0.0.1', port: 9 }, relayPort: 0 },
    });
    expect(await lonely.powerOn()).toMatchObject({ kind: 'no-bootable-device' });
    expect(lonely.events.some(({ detail }) => detail.includes('no DHCPOFFER after 5'))).toBe(true);
    await lonely.close();
  });
});

/** Another id for certain, whatever the last digit was. */
const otherId = (id: string): string => id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));

describe('refusals leave the disk untouched', () => {
  const untouched = async (made: Machine): Promise<void> => {
    expect(made.disk.history()).toEqual([]);
    expect(made.disk.violations).toEqual([]);
    expect(await made.disk.sha256()).toBe(ZEROS_SHA256);
  };

  const claims: [string, ScriptedRegionOptions, string][] = [
    ['foreign key', { foreignKey: true }, 'bad_signature'],
    ['other task', { claims: (c) => ({ ...c, sub: otherId(c.sub) as never }) }, 'wrong_task'],
    ['expired', { claims: (c) => ({ ...c, exp: c.iat - 120 }) }, 'expired'],
    ['no budget', { claims: (c) => ({ ...c, write_budget: 0 }) }, 'budget_used_up'],
    ['other image', { claims: (c) => ({ ...c, image_digest: 'sha256:00' }) }, 'wrong_image'],
    ['other disk', { claims: (c) => ({ ...c, disk: { ...c.disk, serial: 'X' } }) }, 'disk_not_found'],
    ['no claims', { claims: (c) => ({ ...c, write_budget: undefined as never }) }, 'bad_claims'],
  ];
  it.each(claims)('grant with %s', async (_name, options, word) => {
    const { machine: made, task } = await scene(options);
    expect(await made.powerOn()).toMatchObject({ kind: 'no-bootable-device' });
    expect(task.results).toMatchObject([{ success: false, diskTouched: false }]);
    expect(task.results[0]?.message).toContain(word);
    await untouched(made);
  });

  it('rejected by the approver', async () => {
    const { machine: made } = await scene({ approve: () => 'reject' });
    expect(await made.powerOn()).toMatchObject({ kind: 'no-bootable-device' });
    await untouched(made);
  });

  it.each([
    ['a second disk', secondDiskAt({ point: 'order-received' }, 5)],
    ['another disk', swappedDiskAt({ point: 'order-received' }, 5)],
  ])('hardware changed after the report: %s', async (_name, hooks) => {
    let reports = 0;
    const { machine: made, task } = await scene(
      { approve: () => ((reports += 1) === 1 ? 'approve' : 'reject') },
      { hooks },
    );
    const first = made.disk;
    await made.powerOn();
    expect(task.results).toMatchObject([{ failureClass: 'hardware_changed', diskTouched: false }]);
    expect(task.reports).toHaveLength(2);
    expect(first.history()).toEqual([]);
    await untouched(made);
  });

  it('cancelled before the first byte', async () => {
    const { machine: made, task } = await scene(
      {},
      {
        hooks: when({ point: 'order-received' }, async () => {
          region?.order({ $case: 'cancel', value: { reason: 'operator' } });
          await heard('ordered to cancel');
        }),
      },
    );
    expect(await made.powerOn()).toMatchObject({ kind: 'no-bootable-device' });
    expect(task.cancelled).toHaveLength(1);
    await untouched(made);
  });
});

describe('an image that is not what was approved', () => {
  const served: [string, ScriptedRegionOptions, string][] = [
    ['cut short', { imageServed: (bytes) => bytes.subarray(0, bytes.length - 1000) }, 'image_download'],
    ['one bit changed', { imageServed: (bytes) => flipped(bytes, bytes.length - 5) }, 'image_digest'],
    ['no gzip', { imageServed: (bytes) => Buffer.alloc(bytes.length, 1) }, 'image_digest'],
  ];
  it.each(served)('%s', async (_name, options, failureClass) => {
    const { machine: made, task } = await scene(options);
    expect(await made.powerOn()).toMatchObject({ kind: 'no-bootable-device' });
    expect(task.results).toMatchObject([{ success: false, failureClass, diskTouched: true }]);
    expect(made.disk.system()).toBeUndefined();
  });

  it('a bit that flips on the platter is found by reading back', async () => {
    const { machine: made, task } = await scene({}, { hooks: flippedBitAt(1_500_000) });
    await made.powerOn();
    expect(task.results).toMatchObject([{ failureClass: 'disk_write', diskTouched: true }]);
  });

  it('a disk that cannot write says so', async () => {
    const { machine: made, task } = await scene({}, { hooks: writeErrorAt(2_000_000) });
    await made.powerOn();
    expect(task.results[0]?.message).toContain('EIO');
    expect(made.disk.history()).toMatchObject([{ ended: 'abandoned' }]);
  });
});

const BREAKS: MachinePoint[] = [
  'session-opened',
  'hardware-acknowledged',
  'write-half',
  'disk-finished',
  'result-sent',
];

describe('broken links and power', () => {
  it.each(BREAKS)('the link breaks at %s: resumed, one attempt', async (point) => {
    const { machine: made, task } = await scene({}, { hooks: linkBreakAt({ point }) });
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up', boots: 2 });
    expect(task).toMatchObject({ attempt: 1, state: 'completed' });
    expect(task.hellos).toEqual(['ticket', 'sessionToken']);
    expect(made.disk.history()).toHaveLength(1);
  });

  const CUTS = MACHINE_POINTS.filter((point) => point !== 'loader-loaded');
  it.each(CUTS)('the power fails at %s: the end is the same', async (point) => {
    const { machine: made, task } = await scene({}, { hooks: powerCutAt({ point }, 'reset') });
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up' });
    expect(task.state).toBe('completed');
    expect(made.events.some(({ detail }) => detail === 'reboots: reset button')).toBe(true);
    expect(made.disk.violations).toEqual([]);
    expect(made.disk.history().length).toBeLessThanOrEqual(2);
    expect(await made.disk.sha256(region?.raw.length ?? 0)).toBe(region?.rawSha256);
  });

  it('off means off: nothing runs, and the next power-on goes on from the disks', async () => {
    const { machine: made, task } = await scene({}, { hooks: powerCutAt({ point: 'write-half' }, 'off') });
    expect(await made.powerOn()).toMatchObject({ kind: 'powered-off' });
    expect(made.disk.history()).toMatchObject([{ ended: 'abandoned' }]);
    expect(task.results).toEqual([]);
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up' });
    expect(task.attempt).toBe(2);
  });

  it('ten further network boots install nothing', async () => {
    const { machine: made, task } = await scene({}, { bootLoop: 10 });
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up', boots: 12 });
    expect(task.attempt).toBe(1);
    expect(task.checkIns).toHaveLength(1);
    expect(made.disk.history()).toHaveLength(1);
  });

  it('a region that forgets a finished task meets a disk that does not', async () => {
    const { machine: made, task } = await scene();
    await made.powerOn();
    Object.assign(task, { state: 'waiting', attempt: 1 });
    await made.powerOn();
    expect(task.results.at(-1)).toMatchObject({ success: false, failureClass: 'disk_refused' });
    expect(made.disk.violations).toHaveLength(1);
    expect(await made.disk.sha256(region?.raw.length ?? 0)).toBe(region?.rawSha256);
  });
});

describe('a region of two daemons', () => {
  it.each([
    ['is dead', (lab: ScriptedRegion) => lab.daemons[0].die()],
    ['stands by', (lab: ScriptedRegion) => void (lab.daemons[0].standsBy = true)],
  ])('is reached at the second when the first %s', async (_name, prepare) => {
    const { region: lab, machine: made, task } = await scene({ daemons: 2 });
    prepare(lab);
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up', boots: 2 });
    expect(task).toMatchObject({ attempt: 1, state: 'completed', hellos: ['ticket'] });
    const opened = made.events.find(({ detail }) => detail === 'session opened');
    expect(opened?.data).toMatchObject({ endpoint: lab.daemons[1].endpoint });
  });

  it.each(BREAKS)(
    'the first dies at %s: resumed on the second once that leads, one attempt',
    async (point) => {
      const hooks = when({ point }, async () => {
        const [first, second] = region?.daemons ?? [];
        if (first === undefined || second === undefined) return;
        second.standsBy = true;
        first.die();
        await until('the second was asked', () => second.calls > 0);
        second.standsBy = false;
      });
      const { region: lab, machine: made, task } = await scene({ daemons: 2 }, { hooks });
      expect(await made.powerOn()).toMatchObject({ kind: 'host-up', boots: 2 });
      expect(task).toMatchObject({ attempt: 1, state: 'completed' });
      expect(task.hellos).toEqual(['ticket', 'sessionToken']);
      expect(task.results).toHaveLength(1);
      expect(lab.problems).toEqual([]);
      expect(made.disk.history()).toHaveLength(1);
      const resumed = made.events.find(({ detail }) => detail === 'session resumed');
      expect(resumed?.data).toMatchObject({ endpoint: lab.daemons[1].endpoint });
    },
  );

  it('is asked for a fresh ticket when its leader keeps refusing, though the other daemon stands by', async () => {
    const hooks = when({ point: 'session-opened' }, () => {
      region?.forgetSessions();
      machine?.breakLink();
    });
    const { region: lab, machine: made, task } = await scene({ daemons: 2 }, { hooks });
    lab.daemons[0].standsBy = true;
    expect(await made.powerOn()).toMatchObject({ kind: 'host-up', boots: 3 });
    expect(task.hellos).toEqual(['ticket', 'ticket']);
  });
});

describe('a fleet', () => {
  it('installs every machine and counts', async () => {
    const lab = await startScriptedRegion();
    region = lab;
    await lab.relay.close();
    const macs = Array.from({ length: 12 }, (_, index) => `02:00:00:00:01:${(16 + index).toString(16)}`);
    const tasks = macs.map((mac) => lab.addTask(mac));
    const result = await runFleet({
      machines: macs.length,
      macs,
      seed: 3,
      network: lab.network,
      staggerMs: 5,
      concurrency: 8,
      signal: new AbortController().signal,
      machine: () => ({ timeScale: 0.05, diskBytes: DISK_BYTES, lifeMs: 25_000 }),
    });
    expect(result.byKind).toEqual({ 'host-up': 12 });
    expect(result.violations).toEqual([]);
    expect(result.statistics.offer.count).toBe(12);
    expect(result.statistics.host_up.count).toBe(12);
    expect(tasks.every((task) => task.attempt === 1)).toBe(true);
    expect(new Set(lab.leases().map((lease) => lease.address)).size).toBe(12);
  });

  it('stops at once when told to', async () => {
    const lab = await startScriptedRegion({ approve: () => 'later' });
    region = lab;
    await lab.relay.close();
    const stop = new AbortController();
    lab.addTask('02:00:00:00:02:00');
    const result = await runFleet({
      machines: 2,
      macs: ['02:00:00:00:02:00', '02:00:00:00:02:01'],
      seed: 3,
      network: lab.network,
      staggerMs: 0,
      concurrency: 1,
      signal: stop.signal,
      machine: () => ({ timeScale: 0.05, diskBytes: DISK_BYTES }),
      onEvent: (_mac, event) => {
        if (event.detail.startsWith('waits: ')) stop.abort();
      },
    });
    expect(result.byKind).toEqual({ 'powered-off': 2 });
  });
});

/** SHA-256 of a disk of zeros, by openssl, not by our code. */
const ZEROS_SHA256 = '2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74';

function flipped(bytes: Buffer, index: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[index] = (changed[index] ?? 0) ^ 1;
  return changed;
}

/** Waits for a line in the machine's log. */
async function heard(words: string): Promise<void> {
  await until(
    `the machine said ${words}`,
    () => machine?.events.some(({ detail }) => detail.startsWith(words)) === true,
  );
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
