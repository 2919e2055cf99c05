/**
 * The busy neighbour of a reader, as a process of its own: creates tasks and moves them to "pending_approval", without a pause, until it
 * is told to stop by SIGTERM. Usage: tsx write-tasks.ts ETCD_ENDPOINT. Says at its end how many transactions it made.
 */
import { systemClock } from '@lpmos/runtime';
import { createEtcdKv, createTaskStore } from '@lpmos/store';
import { seedTasks } from './seed-tasks';

/** Tasks of a background batch; each pair is 2 + 4 transactions. */
const BATCH = 32;

async function main(endpoint: string): Promise<void> {
  const kv = createEtcdKv({ endpoints: [endpoint] });
  const store = createTaskStore({ kv, clock: systemClock });
  let stopped = false;
  process.once('SIGTERM', () => (stopped = true));
  process.stdout.write('writing\n');
  let transactions = 0;
  for (let batch = 0; !stopped; batch += 1) {
    await seedTasks(
      withTransactionCount(store, () => (transactions += 1)),
      BATCH,
      FIRST_MACHINE + batch * BATCH,
    );
  }
  process.stdout.write(`${transactions}\n`);
  kv.close();
}

/** Beyond the machines that were seeded before. */
const FIRST_MACHINE = 0x1000000;

function withTransactionCount(
  store: ReturnType<typeof createTaskStore>,
  count: () => void,
): ReturnType<typeof createTaskStore> {
  return {
    ...store,
    create: (task) => (count(), store.create(task)),
    commit: (...args) => (count(), store.commit(...args)),
  };
}

void main(process.argv[2] ?? '').catch((thrown: unknown) => {
  process.stderr.write(`${String(thrown)}\n`);
  process.exitCode = 1;
});
