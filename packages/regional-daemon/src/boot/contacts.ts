/**
 * Which tasks' machines asked for boot files since this daemon started: a fact for the planner, heard from the boot servers.
 * In memory only. A restart forgets it harmlessly: the next request or the agent's session says the same.
 */
import type { TaskId } from '@lpmos/core';
import type { BootEvent } from '@lpmos/netboot';

export interface Contacts {
  hear(event: BootEvent): void;
  of(id: TaskId): { readonly via: string } | undefined;
  forget(id: TaskId): void;
}

/** Far above the machines of a region that boot at once; the oldest go first. */
const MOST_CONTACTS = 20_000;

export function createContacts(options: { readonly onContact: (id: TaskId) => void }): Contacts {
  const contacts = new Map<TaskId, { readonly via: string }>();
  return {
    hear(event) {
      const { decision } = event;
      // The installed system's own DHCP client is no boot of the agent.
      if (decision?.kind !== 'agent' || event.outcome !== 'answered' || event.stage === 'os') return;
      if (contacts.has(decision.taskId)) return;
      contacts.set(decision.taskId, {
        via: `${event.protocol} ${event.request} from ${event.mac ?? event.peer}`,
      });
      if (contacts.size > MOST_CONTACTS) {
        const oldest = contacts.keys().next().value;
        if (oldest !== undefined) contacts.delete(oldest);
      }
      options.onContact(decision.taskId);
    },
    of: (id) => contacts.get(id),
    forget: (id) => void contacts.delete(id),
  };
}
