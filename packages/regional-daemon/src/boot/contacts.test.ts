import { EXAMPLE_MAC, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { BootEvent } from '@lpmos/netboot';
import { createContacts } from './contacts';

const agent = { kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'r' } as const;
const asked: BootEvent = {
  ...{ protocol: 'dhcp', mac: EXAMPLE_MAC, peer: '10.0.0.9', request: 'DHCPDISCOVER', stage: 'firmware' },
  ...{ decision: agent, outcome: 'answered', reason: 'r' },
};

describe('contacts', () => {
  it('are the first answered boot request of a task, told once', () => {
    const told: string[] = [];
    const contacts = createContacts({ onContact: (id) => told.push(id) });
    contacts.hear(asked);
    contacts.hear({ ...asked, protocol: 'http', request: 'GET /boot/menu.ipxe' });
    expect(told).toEqual([EXAMPLE_TASK_ID]);
    expect(contacts.of(EXAMPLE_TASK_ID)).toEqual({ via: `dhcp DHCPDISCOVER from ${EXAMPLE_MAC}` });
    contacts.forget(EXAMPLE_TASK_ID);
    expect(contacts.of(EXAMPLE_TASK_ID)).toBeUndefined();
  });

  it.each<[string, Partial<BootEvent>]>([
    ['an unanswered request', { outcome: 'ignored' }],
    ['the DHCP client of the installed system', { stage: 'os' }],
    ['a machine that boots its disk', { decision: { kind: 'local-disk', reason: 'r' } }],
  ])('are not %s', (_what, changes) => {
    const contacts = createContacts({
      onContact: () => {
        throw new Error('told');
      },
    });
    contacts.hear({ ...asked, ...changes });
    const { decision: _none, ...undecided } = asked;
    contacts.hear(undecided);
    expect(contacts.of(EXAMPLE_TASK_ID)).toBeUndefined();
  });
});
