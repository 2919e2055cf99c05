/** A whole task life without a socket: memory store, scripted agent, the real planner, reconciler, cache and leadership. */
import { createHash } from 'node:crypto';
import {
  applyEvent,
  createTaskId,
  firstRun,
  hardwareDigest,
  identityOf,
  isoTime,
  regionTag,
} from '@lpmos/core';
import type { RegionId, StoredHardware, TaskId, TaskRecord, TaskStatus } from '@lpmos/core';
import { EXAMPLE_METADATA, EXAMPLE_REPORT } from '@lpmos/core/testing';
import { silentLogger, sleep, systemClock } from '@lpmos/runtime';
import { createMemoryKv, createRegionStore, createTaskStore, watchTasks } from '@lpmos/store';
import { createAgents } from '../agent-gateway/agents';
import type { AgentLink } from '../agent-gateway/agents';
import { createContacts } from '../boot/contacts';
import { createLeadership } from '../leadership';
import { createReconcileLoop } from './loop';
import type { Order } from './plan';
import { createReconciler } from './reconciler';

const REGION = 'dc1' as RegionId;
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const hardware: StoredHardware = {
  schema_version: 1,
  report: EXAMPLE_REPORT,
  digest: hardwareDigest(EXAMPLE_REPORT, sha256),
};

async function startRegion() {
  const stop = new AbortController();
  const kv = createMemoryKv({ clock: systemClock });
  const clock = systemClock;
  const store = createTaskStore({ kv, clock });
  const tag = regionTag(REGION, sha256);
  await createRegionStore({ kv }).registerRegion({
    schema_version: 1,
    id: REGION,
    tag,
    display_name: 'dc1',
    created_at: isoTime(clock.nowMs()),
    created_by: 'test',
  });
  const cache = watchTasks({ kv, clock, regionTag: tag });
  await cache.start(stop.signal);
  const agents = createAgents({ clock, onChange: (id) => loop.add(id) });
  const contacts = createContacts({ onContact: (id) => loop.add(id) });
  const leadership = createLeadership({
    ...{ kv, clock, regionId: REGION, nodeName: 'n1', ttlSeconds: 10, logger: silentLogger },
    onLead: () => loop.addAll(),
  });
  const reconcile = createReconciler({
    ...{ cache, store, agents, contacts, clock, writeBudget: 3, actor: 'region:dc1', logger: silentLogger },
    fence: leadership.fence,
    preparation: () => ({ ready: true }),
  });
  const loop = createReconcileLoop({ cache, reconcile, logger: silentLogger });
  loop.start();
  const run = leadership.run(stop.signal);
  const id = createTaskId(
    tag,
    Uint8Array.from({ length: 12 }, (_, i) => i),
  );
  await store.create({
    metadata: { ...EXAMPLE_METADATA, id },
    run: firstRun(clock.nowMs()),
    created: {
      seq: 0,
      timestamp: isoTime(clock.nowMs()),
      event: 'task_created',
      to: 'pending',
      actor: 'ann',
    },
  });
  const end = async (): Promise<void> => {
    stop.abort();
    await Promise.all([run, loop.stop(), cache.done]);
    kv.close();
  };
  return { store, cache, agents, contacts, id, end };
}

type Region = Awaited<ReturnType<typeof startRegion>>;

/** Waits for the truth in the cache; the deadline names what was awaited. */
async function until(region: Region, status: TaskStatus): Promise<TaskRecord> {
  const deadline = performance.now() + 4000;
  for (;;) {
    const task = region.cache.get(region.id);
    if (task?.status === status) return task;
    if (performance.now() > deadline) throw new Error(`still ${task?.status}, not ${status}`);
    await sleep(2);
  }
}

/** An agent that records its orders and acknowledgements. */
function scriptedAgent(region: Region, sessionId: string) {
  const orders: Order[] = [];
  const acks: string[] = [];
  const closed: string[] = [];
  const link: AgentLink = {
    acknowledge: (seq) => acks.push(seq),
    order: (_task, order) => orders.push(order),
    close: (reason) => closed.push(reason),
  };
  region.agents.attach(region.id, sessionId, link);
  return { orders, acks, closed, link, sessionId };
}

async function approve(region: Region, id: TaskId): Promise<void> {
  const task = await region.store.read(id);
  const disk = EXAMPLE_REPORT.disks[0];
  if (task === undefined || disk === undefined) throw new Error('nothing to approve');
  const applied = applyEvent(
    task,
    {
      name: 'approved',
      grant: 'aa.bb.cc',
      approval: {
        approved_by: 'ann',
        hardware_digest: hardware.digest,
        disk: identityOf(disk),
        image_digest: `sha256:${'c'.repeat(64)}`,
        grant_expires_at: isoTime(systemClock.nowMs() + 3_600_000),
      },
    },
    { nowMs: systemClock.nowMs(), actor: 'ann' },
  );
  if (applied.kind !== 'change') throw new Error(applied.kind);
  const outcome = await region.store.commit(task, applied.change);
  if (outcome.kind !== 'done') throw new Error(outcome.kind);
}

describe('the life of a task in its region', () => {
  it('goes from pending to completed, and tells the agent each thing once', async () => {
    const region = await startRegion();
    await until(region, 'ready');
    const agent = scriptedAgent(region, 's1');
    await until(region, 'booting');
    region.agents.hear(region.id, 's1', '2', { report: { seq: '2', hardware } });
    await until(region, 'pending_approval');
    await approve(region, region.id);
    await until(region, 'installing');
    const success = {
      seq: '3',
      attempt: 1,
      success: true,
      failureClass: 'agent_fault',
      message: 'ok',
    } as const;
    region.agents.hear(region.id, 's1', '3', { result: success });
    const done = await until(region, 'completed');
    expect(done.timeline.map(({ event }) => event)).toEqual([
      'task_created',
      'prepared',
      'boot_contacted',
      'hardware_reported',
      'approved',
      'install_started',
      'install_succeeded',
    ]);
    await region.end();
    expect(agent.acks).toEqual(['2', '3']);
    expect(agent.orders.map(({ kind }) => kind)).toEqual(['wait', 'wait', 'install', 'reboot']);
  });

  it('spends the whole budget on lost agents and then fails, never more', async () => {
    const region = await startRegion();
    await until(region, 'ready');
    scriptedAgent(region, 's0');
    region.agents.hear(region.id, 's0', '2', { report: { seq: '2', hardware } });
    await until(region, 'pending_approval');
    await approve(region, region.id);
    for (const attempt of [1, 2, 3]) {
      const task = await until(region, 'installing');
      expect(task.run.attempt).toBe(attempt);
      // The machine loses power; its next agent reports the same hardware.
      scriptedAgent(region, `s${attempt}`);
      region.agents.hear(region.id, `s${attempt}`, '2', { report: { seq: '2', hardware } });
      if (attempt < 3) {
        const deadline = performance.now() + 4000;
        while (region.cache.get(region.id)?.run.attempt === attempt && performance.now() < deadline)
          await sleep(2);
      }
    }
    const failed = await until(region, 'failed');
    expect(failed.error).toMatchObject({ class: 'agent_lost', attempt: 3 });
    expect(failed.grant).toBeUndefined();
    await region.end();
  });
});
