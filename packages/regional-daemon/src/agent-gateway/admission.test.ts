import { EXAMPLE_MAC, EXAMPLE_NOW_MS, EXAMPLE_TASK_ID, exampleTask } from '@lpmos/core/testing';
import { firstRun } from '@lpmos/core';
import type { TaskId, TaskRecord } from '@lpmos/core';
import { mintTicket, sessionIdOf, sessionToken } from '../boot/tokens';
import { regionSecrets } from '../boot/secrets';
import type { UsedTickets } from '../boot/used-tickets';
import { cacheOf, SECRETS, testClock } from '../testing/region-fixtures';
import { admit } from './admission';
import type { Admission, AdmissionRequest } from './admission';

const NONCE = 'a'.repeat(32);
const OTHER_TASK = EXAMPLE_TASK_ID.replace('5891', '5892') as TaskId;
const ticketFor = (taskId: TaskId, seconds = 60) => ({
  ...{ taskId, nonce: 'n1' },
  expiresAtSeconds: EXAMPLE_NOW_MS / 1000 + seconds,
});
const TICKET = mintTicket(SECRETS, ticketFor(EXAMPLE_TASK_ID));
const SESSION = sessionIdOf(SECRETS, ticketFor(EXAMPLE_TASK_ID), NONCE);
const GOOD: AdmissionRequest = {
  taskId: EXAMPLE_TASK_ID,
  macAddress: EXAMPLE_MAC,
  proof: { ticket: TICKET },
  nonce: NONCE,
};

function ask(
  changes: Partial<AdmissionRequest>,
  region: { task?: TaskRecord; ready?: boolean; usedTickets?: UsedTickets; standsBy?: boolean } = {},
): Promise<Admission> {
  const uses = new Map<string, string>();
  const usedTickets: UsedTickets = region.usedTickets ?? {
    claim: async ({ nonce }, agent) =>
      uses.has(nonce) ? uses.get(nonce) === agent : (uses.set(nonce, agent), true),
    close: async () => undefined,
  };
  const cache = cacheOf([region.task ?? exampleTask({ status: 'booting' })], region.ready ?? true);
  const standsBy = () => region.standsBy ?? false;
  return admit(
    { cache, secrets: SECRETS, usedTickets, clock: testClock(), standsBy },
    { ...GOOD, ...changes },
  );
}

const taken: UsedTickets = { claim: async () => false, close: async () => undefined };
const never: UsedTickets = {
  claim: async () => {
    throw new Error('a refused agent must not use up the ticket');
  },
  close: async () => undefined,
};

describe('admission', () => {
  it('lets the machine of the ticket in, and tells it how to come back', async () => {
    const admission = await ask({});
    expect(admission).toMatchObject({ sessionId: SESSION });
    expect(admission).toHaveProperty('sessionToken', sessionToken(SECRETS, EXAMPLE_TASK_ID, SESSION));
    expect(await ask({ macAddress: '00-1A-2B-3C-4D-5E' })).toHaveProperty('sessionId');
  });

  const strange = regionSecrets(new Uint8Array(32).fill(9));
  it.each<[string, Partial<AdmissionRequest>, string, RegExp]>([
    ['another machine', { macAddress: '00:1a:2b:3c:4d:5f' }, 'forbidden', /for another machine/],
    ['no MAC at all', { macAddress: 'x' }, 'forbidden', /for another machine/],
    ['a task that is none', { taskId: '../x' }, 'invalid_argument', /no task id/],
    ['an unknown task', { taskId: OTHER_TASK }, 'not_found', /no task/],
    ['a weak nonce', { nonce: 'abc' }, 'invalid_argument', /16 to 64 hex/],
    ['no proof', { proof: undefined }, 'unauthenticated', /neither/],
    ['nonsense', { proof: { ticket: 'x' } }, 'unauthenticated', /malformed/],
    [
      'the ticket of another task',
      { proof: { ticket: mintTicket(SECRETS, ticketFor(OTHER_TASK)) } },
      'unauthenticated',
      /another task/,
    ],
    [
      'the ticket of another region',
      { proof: { ticket: mintTicket(strange, ticketFor(EXAMPLE_TASK_ID)) } },
      'unauthenticated',
      /not made by this region/,
    ],
    [
      'an expired ticket',
      { proof: { ticket: mintTicket(SECRETS, ticketFor(EXAMPLE_TASK_ID, -1)) } },
      'unauthenticated',
      /expired/,
    ],
    ['a foreign session', { proof: { sessionToken: 'x' } }, 'unauthenticated', /not valid/],
    ['a ticket as session token', { proof: { sessionToken: TICKET } }, 'unauthenticated', /not valid/],
  ])('refuses %s and leaves the ticket unused', async (_who, changes, code, words) => {
    const admission = await ask(changes, { usedTickets: never });
    expect(admission).toMatchObject({ code });
    expect('problem' in admission ? admission.problem : '').toMatch(words);
  });

  it('refuses a ticket that another agent used', async () => {
    expect(await ask({}, { usedTickets: taken })).toMatchObject({ code: 'unauthenticated' });
  });

  it('cannot know before the region has read its tasks', async () => {
    expect(await ask({}, { ready: false, usedTickets: never })).toMatchObject({ code: 'unavailable' });
  });

  it('sends agents to the daemon that leads while this one stands by', async () => {
    const refused = await ask({}, { standsBy: true, usedTickets: never });
    expect(refused).toMatchObject({
      code: 'unavailable',
      problem: expect.stringContaining('stands by') as string,
    });
  });

  it('lets a session come back without its ticket', async () => {
    const proof = { sessionToken: sessionToken(SECRETS, EXAMPLE_TASK_ID, SESSION) };
    expect(await ask({ proof }, { usedTickets: never })).toMatchObject({ sessionId: SESSION });
  });

  it.each(['completed', 'failed', 'rejected', 'cancelled'] as const)(
    'opens nothing new for a task that is %s, but tells its own session',
    async (status) => {
      const run = { ...firstRun(EXAMPLE_NOW_MS), session_id: SESSION };
      const own = exampleTask({ status, run });
      const other = exampleTask({ status, run: { ...run, session_id: 'f'.repeat(32) } });
      const token = { sessionToken: sessionToken(SECRETS, EXAMPLE_TASK_ID, SESSION) };
      for (const proof of [GOOD.proof, token]) {
        expect(await ask({ proof }, { task: own })).toMatchObject({ sessionId: SESSION });
        expect(await ask({ proof }, { task: other, usedTickets: never })).toMatchObject({
          code: 'not_allowed_in_state',
        });
      }
    },
  );
});
