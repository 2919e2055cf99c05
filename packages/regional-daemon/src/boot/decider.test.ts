/** What a task says about its machine reaches the decision, and through it every script of that machine. */
import { EXIT_METHODS } from '@lpmos/core';
import { EXAMPLE_MAC, EXAMPLE_METADATA, exampleTask } from '@lpmos/core/testing';
import { cacheOf, testClock } from '../testing/region-fixtures';
import { createBootDecider } from './decider';

const deciderOf = (...tasks: ReturnType<typeof exampleTask>[]) =>
  createBootDecider({ cache: cacheOf(tasks), clock: testClock(), writeBudget: 3, isOld: () => false });

describe('the decider of a region', () => {
  it.each(EXIT_METHODS)('says how the machine leaves for its disk: %s', (exit_method) => {
    const metadata = { ...EXAMPLE_METADATA, boot: { exit_method } };
    for (const status of ['completed', 'ready', 'failed'] as const) {
      expect(deciderOf(exampleTask({ status, metadata })).decide(EXAMPLE_MAC)).toMatchObject({
        exitMethod: exit_method,
      });
    }
  });

  it('says nothing of it where the task says nothing', () => {
    const task = exampleTask({
      status: 'completed',
      metadata: { ...EXAMPLE_METADATA, boot: { order: 'unchanged' } },
    });
    expect(deciderOf(task).decide(EXAMPLE_MAC)).not.toHaveProperty('exitMethod');
  });
});
