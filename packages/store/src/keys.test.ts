import { createHash } from 'node:crypto';
import { parseRegionId, parseTaskId, tagOfTask } from '@lpmos/core';
import { mac } from './contract/fixtures';
import {
  agentKey,
  assignmentKey,
  bootsRange,
  idempotencyKey,
  leaseKey,
  leasesRange,
  machineGuardKey,
  parseLeaseKey,
  parseTaskKey,
  regionKey,
  regionTagKey,
  TASK_PARTS,
  taskKey,
  taskRange,
  tasksRange,
  timelineKey,
} from './keys';
import { inRange } from './kv';

const ID = parseTaskId('5891b5b5-22d5-8df0-86d0-ff0b110fbd9d');
const DC1 = parseRegionId('dc1');

describe('the key tree', () => {
  it('is spelled as the seed has it', () => {
    expect(taskKey(ID, 'metadata')).toBe(`/lpmos/tasks/${ID}/metadata`);
    expect(taskKey(ID, 'status')).toBe(`/lpmos/tasks/${ID}/status`);
    expect(timelineKey(ID, 7)).toBe(`/lpmos/tasks/${ID}/timeline/0007`);
    expect(regionKey(DC1, 'client/heartbeat')).toBe('/lpmos/regions/dc1/client/heartbeat');
    expect(regionKey(DC1, 'leader')).toBe('/lpmos/regions/dc1/leader');
    expect(assignmentKey(DC1, ID)).toBe(`/lpmos/regions/dc1/tasks/${ID}`);
    expect(leaseKey(DC1, 'rack-7.b', '10.77.0.9')).toBe('/lpmos/regions/dc1/leases/rack-7.b/10.77.0.9');
    expect(regionTagKey(tagOfTask(ID))).toBe('/lpmos/region-tags/5891b5b5');
    expect(agentKey(mac(1), 'last_seen')).toBe('/lpmos/agents/52:54:00:00:00:01/last_seen');
    expect(machineGuardKey(mac(1))).toBe('/lpmos/guards/machines/52:54:00:00:00:01');
    const digest = createHash('sha256').update('scope\0key').digest('hex');
    expect(idempotencyKey('scope', 'key')).toBe(`/lpmos/idempotency/${digest}`);
  });

  it('parses every task key that it builds', () => {
    for (const part of TASK_PARTS) expect(parseTaskKey(taskKey(ID, part))).toEqual({ id: ID, part });
    for (const seq of [0, 12, 9999, 10_000]) {
      expect(parseTaskKey(timelineKey(ID, seq))).toEqual({ id: ID, part: 'timeline', seq });
    }
  });

  it.each([
    '/lpmos/tasks/',
    `/lpmos/tasks/${ID}`,
    `/lpmos/tasks/${ID}/unknown`,
    `/lpmos/tasks/${ID}/status/more`,
    `/lpmos/tasks/${ID}/timeline`,
    `/lpmos/tasks/${ID}/timeline/x`,
    `/lpmos/tasks/${ID}/timeline/0001/x`,
    `/lpmos/tasks/${ID.toUpperCase()}/status`,
    `/lpmos/regions/${ID}/status`,
  ])('takes %s for none of its own', (key) => {
    expect(parseTaskKey(key)).toBeUndefined();
  });

  it.each([
    ['boot', '10.77.0.9'],
    ['a', '0.0.0.0'],
    ['Rack_7.b-2', '255.255.255.255'],
    ['x'.repeat(64), '192.168.100.200'],
  ])('parses the lease key of link %s and address %s', (link, address) => {
    expect(parseLeaseKey(leaseKey(DC1, link, address))).toEqual({ link, address });
  });

  it.each([
    '/lpmos/regions/dc1/leases/',
    '/lpmos/regions/dc1/leases/boot',
    '/lpmos/regions/dc1/leases/boot/',
    '/lpmos/regions/dc1/leases//10.77.0.9',
    '/lpmos/regions/dc1/leases/boot/10.77.0.9/more',
    '/lpmos/regions/dc1/leases/boot/10.77.0.9\n',
    '/lpmos/regions/dc1/leases/boot/10.77.0',
    '/lpmos/regions/dc1/leases/boot/10.77.0.256',
    '/lpmos/regions/dc1/leases/boot/010.77.0.9',
    '/lpmos/regions/dc1/leases/boot/::1',
    '/lpmos/regions/dc1/leases/.boot/10.77.0.9',
    '/lpmos/regions/dc1/leases/two links/10.77.0.9',
    `/lpmos/regions/dc1/leases/${'x'.repeat(65)}/10.77.0.9`,
    '/lpmos/regions/dc1/boots/boot/10.77.0.9',
    '/lpmos/regions/leases/boot/10.77.0.9',
    '/elsewhere/lpmos/regions/dc1/leases/boot/10.77.0.9',
  ])('takes %j for no lease', (key) => {
    expect(parseLeaseKey(key)).toBeUndefined();
  });

  it('keeps ranges apart', () => {
    const own = taskKey(ID, 'status');
    expect(
      [taskRange(ID), tasksRange(), tasksRange(tagOfTask(ID))].map((range) => inRange(range, own)),
    ).toEqual([true, true, true]);
    const neighbour = own.replace('5891b5b5-', '5891b5b6-');
    expect(
      [taskRange(ID), tasksRange(), tasksRange(tagOfTask(ID))].map((range) => inRange(range, neighbour)),
    ).toEqual([false, true, false]);
    expect(inRange(tasksRange(), '/lpmos/tasks-archive/x')).toBe(false);
    const lease = leaseKey(DC1, 'boot', '10.77.0.9');
    const ranges = [leasesRange(DC1), leasesRange(parseRegionId('dc10')), bootsRange(DC1)];
    expect(ranges.map((range) => inRange(range, lease))).toEqual([true, false, false]);
  });

  it('does not mix up scope and key of an idempotency key', () => {
    expect(idempotencyKey('ab', 'c')).not.toBe(idempotencyKey('a', 'bc'));
  });
});
