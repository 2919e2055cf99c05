/** The last check before a byte is written: every single deviation is refused. */
import { EXAMPLE_REPORT, EXAMPLE_TASK_ID } from '../testing/example-task';
import type { TaskId } from '../ids';
import { identityOf } from '../machine/disk-selector';
import { checkGrant, GRANT_AUDIENCE, GRANT_ISSUER, isGrantLive } from './grant';
import type { GrantClaims, GrantSituation } from './grant';

const [disk] = EXAMPLE_REPORT.disks;
if (disk === undefined) throw new Error('the example has no disk');

const claims: GrantClaims = {
  iss: GRANT_ISSUER,
  aud: GRANT_AUDIENCE,
  sub: EXAMPLE_TASK_ID,
  hardware_digest: 'sha256:aa',
  disk: identityOf(disk),
  image_digest: 'sha256:cc',
  write_budget: 3,
  iat: 1000,
  exp: 2000,
};
const now: GrantSituation = {
  taskId: EXAMPLE_TASK_ID,
  hardwareDigest: 'sha256:aa',
  imageDigest: 'sha256:cc',
  attempt: 1,
  disks: [disk],
  nowSeconds: 1500,
};

describe('checkGrant', () => {
  it('names the disk when everything agrees', () => expect(checkGrant(claims, now)).toEqual({ disk }));

  it.each<[string, Partial<GrantSituation>]>([
    ['wrong_task', { taskId: '00000000-0000-8000-8000-000000000000' as TaskId }],
    ['expired', { nowSeconds: 2061 }],
    ['budget_used_up', { attempt: 4 }],
    ['budget_used_up', { attempt: 0 }],
    ['hardware_changed', { hardwareDigest: 'sha256:bb' }],
    ['wrong_image', { imageDigest: 'sha256:dd' }],
    ['disk_not_found', { disks: [{ ...disk, serial: 'OTHER' }] }],
    ['disk_not_found', { disks: [{ ...disk, size_bytes: disk.size_bytes + 512 }] }],
    ['disk_not_found', { disks: [] }],
    ['disk_ambiguous', { disks: [disk, { ...disk, device: '/dev/sdb' }] }],
  ])('refuses: %s %#', (refusal, changes) =>
    expect(checkGrant(claims, { ...now, ...changes })).toMatchObject({ refusal }),
  );

  it('is live until its expiry and until its attempts are used up', () => {
    const grant = { expiresAtMs: 100, attempt: 2, writeBudget: 3 };
    expect(isGrantLive(grant, 100)).toBe(true);
    expect(isGrantLive(grant, 101)).toBe(false);
    expect(isGrantLive({ ...grant, attempt: 3 }, 50)).toBe(false);
  });
});
