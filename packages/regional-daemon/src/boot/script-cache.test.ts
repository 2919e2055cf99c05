/** A script from a template is, byte for byte, the script that is made from its steps; and a ticket is never given twice. */
import fc from 'fast-check';
import { EXAMPLE_MAC, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { BootDecision, MacAddress, TaskId } from '@lpmos/core';
import { bootScript, machineScriptUrl, renderIpxeScript } from '@lpmos/netboot';
import { createScriptCache, MOST_TEMPLATES } from './script-cache';
import type { ScriptGiven, ScriptSubject } from './script-cache';

const BASE = 'http://10.0.0.1';

/** A renderer of the same kind as the region's. */
function render({ mac, uuid, platform, decision }: ScriptSubject, { ticket, jitter }: ScriptGiven): string {
  const machine = { mac, ...(uuid && { uuid }), ...(platform && { platform }) };
  const script = bootScript(decision, {
    machine: mac,
    region: 'dc1',
    retry: { seconds: 15, attempts: 20, url: machineScriptUrl(BASE, machine), jitter },
    agent: {
      kernelUrl: `${BASE}/vmlinuz`,
      initrdUrls: [`${BASE}/initramfs.img`],
      kernelArguments: [
        ['console', 'ttyS0'],
        ['lpmos.task', decision.kind === 'agent' ? decision.taskId : 'none'],
        ['lpmos.mac', mac],
        ['lpmos.ticket', ticket === '' ? 'none' : ticket],
      ],
    },
  });
  return renderIpxeScript(script);
}

function cacheWith(more: Partial<Parameters<typeof createScriptCache>[0]> = {}) {
  let tickets = 0;
  const renders: ScriptSubject[] = [];
  const cache = createScriptCache({
    render: (subject, given) => {
      renders.push(subject);
      return render(subject, given);
    },
    ticketOf: (taskId) => `${taskId}.tqx0.${String((tickets += 1)).padStart(32, '0')}`,
    settings: () => BASE,
    random: () => 0.5,
    ...more,
  });
  return { cache, renders, tickets: () => tickets };
}

const report = (taskId: string): BootDecision => ({
  kind: 'agent',
  purpose: 'report',
  taskId: taskId as TaskId,
  reason: `task ${taskId} is ready: the agent is to report the hardware`,
});
const macOf = (index: number) => `02:00:00:00:00:${index.toString(16).padStart(2, '0')}` as MacAddress;
const taskOf = (index: number) => `dc1-${String(index).padStart(26, '0')}`;

const subjects = fc.record(
  {
    mac: fc.integer({ min: 0, max: 255 }).map(macOf),
    uuid: fc.uuid(),
    platform: fc.constantFrom('efi' as const, 'pcbios' as const),
    decision: fc.oneof(
      fc.integer({ min: 0, max: 50 }).map((index) => report(taskOf(index))),
      fc
        .record({ reason: fc.oneof(fc.string(), fc.lorem({ maxCount: 60 }), fc.constant('-x; y  ')) })
        .map(({ reason }): BootDecision => ({ kind: 'local-disk', reason })),
      fc
        .record({ reason: fc.string({ unit: 'binary' }), retryAfterSeconds: fc.integer({ min: 1, max: 9 }) })
        .map((wait): BootDecision => ({ kind: 'wait', ...wait })),
    ),
  },
  { requiredKeys: ['mac', 'decision'] },
);

describe('the script cache', () => {
  it('gives the very script that would be made without it, whoever asked before', () => {
    fc.assert(
      fc.property(fc.array(subjects, { minLength: 1, maxLength: 40 }), (asks) => {
        const { cache } = cacheWith({ ticketOf: (taskId) => `${taskId}.tqx0.${'7'.repeat(32)}` });
        for (const subject of [...asks, ...asks]) {
          const ticket =
            subject.decision.kind === 'agent' ? `${subject.decision.taskId}.tqx0.${'7'.repeat(32)}` : '';
          expect(cache.script(subject)).toBe(render(subject, { ticket, jitter: 16.5 / 32 }));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('makes no script from its steps for the second machine of a shape, nor for any installed one', () => {
    const { cache, renders } = cacheWith();
    for (let index = 0; index < 10; index += 1) {
      cache.script({ mac: macOf(index), decision: report(taskOf(index)) });
      cache.script({
        mac: macOf(index),
        decision: { kind: 'local-disk', reason: `task ${taskOf(index)} is completed` },
      });
    }
    expect(renders).toHaveLength(4);
  });

  it('mints a ticket for each ask of an agent and none for others', () => {
    const { cache, tickets } = cacheWith();
    const ask = () => cache.script({ mac: EXAMPLE_MAC, decision: report(EXAMPLE_TASK_ID) });
    expect(new Set([ask(), ask(), ask()]).size).toBe(3);
    cache.script({ mac: EXAMPLE_MAC, decision: { kind: 'local-disk', reason: 'the machine is installed' } });
    expect(tickets()).toBe(3);
  });

  it('says what is decided now', () => {
    const { cache } = cacheWith();
    const subject = { mac: EXAMPLE_MAC, decision: report(EXAMPLE_TASK_ID) };
    expect(cache.script(subject)).toContain('boots: the boot agent, to report');
    const install: BootDecision = {
      ...report(EXAMPLE_TASK_ID),
      kind: 'agent',
      purpose: 'install',
      taskId: EXAMPLE_TASK_ID,
    };
    expect(cache.script({ ...subject, decision: install })).toContain('boots: the boot agent, to install');
    expect(cache.script({ ...subject, decision: { kind: 'local-disk', reason: 'done' } })).not.toContain(
      'agent',
    );
  });

  it('follows the settings', () => {
    let base = 'http://10.0.0.1';
    const { cache } = cacheWith({ settings: () => base, render: () => `#!ipxe\necho ${base}\n` });
    const subject = { mac: EXAMPLE_MAC, decision: report(EXAMPLE_TASK_ID) };
    expect(cache.script(subject)).toContain('10.0.0.1');
    base = 'http://10.0.0.2';
    expect(cache.script(subject)).toContain('10.0.0.2');
  });

  it.each([
    ['depends on something that no template can know', (mac: string) => `last ${mac.slice(-1)}`],
    ['spells a name in another way', (mac: string) => `name ${mac.toUpperCase()} ${mac}`],
  ])('uses no template when a script %s', (_what, text) => {
    const { cache } = cacheWith({ render: ({ mac }) => text(mac) });
    for (const index of [1, 10, 27]) {
      expect(cache.script({ mac: macOf(index), decision: { kind: 'silent', reason: 'x' } })).toBe(
        text(macOf(index)),
      );
    }
  });

  it('is not misled by a machine that has the name of the stand-in', () => {
    const odd = '02:4c:50:4d:4f:53' as MacAddress;
    const text = (mac: string) => `mac ${mac}, and in every script 02:4c:50:4d:4f:53`;
    const { cache } = cacheWith({ render: ({ mac }) => text(mac) });
    for (const mac of [odd, macOf(1), macOf(2)]) {
      expect(cache.script({ mac, decision: { kind: 'silent', reason: 'x' } })).toBe(text(mac));
    }
  });

  it('refuses a value that no script may carry, with and without a template', () => {
    let ticket = 't'.repeat(40);
    const { cache } = cacheWith({ ticketOf: () => ticket });
    const ask = () => cache.script({ mac: EXAMPLE_MAC, decision: report(EXAMPLE_TASK_ID) });
    ask();
    ticket = `${'t'.repeat(20)}\n${'t'.repeat(19)}`;
    expect(ask).toThrow('U+000a');
  });

  it('keeps a bounded number of templates', () => {
    const { cache } = cacheWith({ render: () => 'x' });
    for (let seconds = 0; seconds < MOST_TEMPLATES + 50; seconds += 1) {
      cache.script({
        mac: EXAMPLE_MAC,
        decision: { kind: 'wait', retryAfterSeconds: seconds, reason: 'the region prepares it' },
      });
    }
    expect(cache.size()).toBe(MOST_TEMPLATES);
  });
});
