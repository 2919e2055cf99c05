import { createHealth } from './health';

describe('health', () => {
  it('is ready only when every part is, asked at that moment', () => {
    const health = createHealth();
    let etcd = true;
    health.register('etcd', () => ({ ok: etcd, detail: etcd ? 'heard 1 s ago' : 'silent' }));
    health.register('cache', () => ({ ok: true, detail: 'read' }));
    expect(health.report().ready).toBe(true);
    etcd = false;
    expect(health.report()).toEqual({
      ready: false,
      checks: { etcd: { ok: false, detail: 'silent' }, cache: { ok: true, detail: 'read' } },
    });
  });

  it('takes a check that throws for a part that is not well', () => {
    const health = createHealth();
    health.register('broken', () => {
      throw new Error('oops');
    });
    const { ready, checks } = health.report();
    expect(ready).toBe(false);
    expect(checks['broken']?.detail).toContain('oops');
  });
});
