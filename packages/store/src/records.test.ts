import { firstRun, isoTime, TASK_STATUS_NAMES } from '@lpmos/core';
import type { LeaseCopy, TaskProgress, TimelineEvent } from '@lpmos/core';
import { hardware, mac, newTask, regionMetadata } from './contract/fixtures';
import { codecs } from './records';

const KEY = '/lpmos/tasks/x/part';
const AT = isoTime(1_700_000_000_000);
const progress: TaskProgress = {
  attempt: 1,
  phase: 'write',
  percent: 12.5,
  message: 'x',
  at: AT,
  bytes_done: 7,
};
const event: TimelineEvent = {
  seq: 3,
  timestamp: AT,
  event: 'approved',
  from: 'pending_approval',
  to: 'approved',
  actor: 'a',
};
const lease: LeaseCopy = {
  schema_version: 1,
  mac: mac(1),
  state: 'bound',
  since_ms: 1_700_000_000_000,
  expires_at_ms: 1_700_000_600_000,
  hostname: 'node-1',
};

function changed(document: unknown, change: Record<string, unknown>): string {
  return JSON.stringify({ ...(document as object), ...change });
}

describe('stored values', () => {
  it('come back as they went in', () => {
    const { metadata } = newTask();
    expect(codecs.metadata.decode(KEY, codecs.metadata.encode(metadata))).toEqual(metadata);
    expect(codecs.run.decode(KEY, codecs.run.encode(firstRun(0)))).toEqual(firstRun(0));
    const report = hardware();
    expect(codecs.hardware.decode(KEY, codecs.hardware.encode(report))).toEqual(report);
    expect(codecs.progress.decode(KEY, codecs.progress.encode(progress))).toEqual(progress);
    expect(codecs.timeline.decode(KEY, codecs.timeline.encode(event))).toEqual(event);
    expect(codecs.regionMetadata.decode(KEY, codecs.regionMetadata.encode(regionMetadata()))).toMatchObject({
      id: 'lab',
    });
    expect(codecs.lease.decode(KEY, codecs.lease.encode(lease))).toEqual(lease);
    const { hostname: _, ...nameless } = lease;
    expect(codecs.lease.decode(KEY, codecs.lease.encode({ ...nameless, state: 'declined' }))).toEqual({
      ...nameless,
      state: 'declined',
    });
    for (const status of TASK_STATUS_NAMES)
      expect(codecs.status.decode(KEY, codecs.status.encode(status))).toBe(status);
  });

  it('carry a version when they are JSON, and none when the seed has plain text', () => {
    for (const json of [
      codecs.progress.encode(progress),
      codecs.timeline.encode(event),
      codecs.run.encode(firstRun(0)),
    ]) {
      expect(JSON.parse(json)).toMatchObject({ schema_version: 1 });
    }
    expect(codecs.status.encode('ready')).toBe('ready');
    expect(codecs.heartbeat.encode(AT)).toBe(AT);
  });

  it('keep fields of a newer program of the same version', () => {
    const stored = changed(firstRun(0), { later_field: 1 });
    expect(codecs.run.decode(KEY, stored)).toMatchObject({ later_field: 1 });
  });

  it.each<[string, () => unknown, string]>([
    ['an unknown status', () => codecs.status.decode(KEY, 'sleeping'), 'sleeping'],
    ['an empty status', () => codecs.status.decode(KEY, ''), 'status'],
    ['no JSON', () => codecs.run.decode(KEY, '{'), 'not JSON'],
    ['a list', () => codecs.run.decode(KEY, '[]'), 'object'],
    ['null', () => codecs.run.decode(KEY, 'null'), 'object'],
    [
      'a newer version',
      () => codecs.run.decode(KEY, changed(firstRun(0), { schema_version: 2 })),
      'schema_version',
    ],
    [
      'a missing field',
      () => codecs.metadata.decode(KEY, changed(newTask().metadata, { created_by: undefined })),
      'created_by',
    ],
    [
      'a MAC in another notation',
      () => codecs.metadata.decode(KEY, changed(newTask().metadata, { target_mac: '52-54-00-00-00-01' })),
      'target_mac',
    ],
    [
      'a tag that is no text',
      () => codecs.metadata.decode(KEY, changed(newTask().metadata, { tags: { a: 1 } })),
      'tags.a',
    ],
    ['a negative attempt', () => codecs.run.decode(KEY, changed(firstRun(0), { attempt: -1 })), 'attempt'],
    [
      'an unknown event',
      () => codecs.timeline.decode(KEY, changed(event, { schema_version: 1, event: 'slept' })),
      'event',
    ],
    [
      'a disk without serial',
      () =>
        codecs.hardware.decode(
          KEY,
          codecs.hardware.encode(hardware()).replace('"serial":"S5', '"cereal":"S5'),
        ),
      'report.disks[0].serial',
    ],
    [
      'a lease that was offered',
      () => codecs.lease.decode(KEY, changed(lease, { state: 'offered' })),
      'state',
    ],
    ['a lease of nobody', () => codecs.lease.decode(KEY, changed(lease, { mac: '' })), 'mac'],
    [
      'a lease without an end',
      () => codecs.lease.decode(KEY, changed(lease, { expires_at_ms: null })),
      'expires_at_ms',
    ],
    ['a lease since never', () => codecs.lease.decode(KEY, changed(lease, { since_ms: -1 })), 'since_ms'],
    ['a host name of nothing', () => codecs.lease.decode(KEY, changed(lease, { hostname: '' })), 'hostname'],
    [
      'a host name that is too long',
      () => codecs.lease.decode(KEY, changed(lease, { hostname: 'x'.repeat(64) })),
      'hostname',
    ],
    ['a grant that is no JWS', () => codecs.grant.decode(KEY, 'a.b'), 'JWS'],
  ])('are loud about %s, naming key and field', (_, decode, named) => {
    expect(decode).toThrow(
      expect.objectContaining({ code: 'corrupt', message: expect.stringContaining(KEY) }),
    );
    expect(decode).toThrow(expect.objectContaining({ message: expect.stringContaining(named) }));
  });
});
