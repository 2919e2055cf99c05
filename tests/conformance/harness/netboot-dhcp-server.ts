/**
 * Our DHCP server as a process of its own, so that a test can run it inside a network namespace.
 * Argument: JSON `{ link, decisions, fd?, journalDir? }`, decisions by MAC (`agent`, `local-disk`, `silent`; absent is `silent`).
 * Writes JSON lines: `{ ready }` once, `{ event }` for each boot event, `{ leases }` for each line that it reads. Ends on SIGTERM.
 */
import { createInterface } from 'node:readline';
import type { BootDecision, TaskId } from '@lpmos/core';
import type { DhcpLink } from '@lpmos/netboot';
import { createDhcpServer, openLeaseJournal, openUdpSocket } from '@lpmos/netboot';

interface Settings {
  readonly link: DhcpLink;
  readonly decisions: Readonly<Record<string, 'agent' | 'local-disk' | 'silent'>>;
  /** A descriptor that the launcher opened and bound to the device. */
  readonly fd?: number;
  /** Where leases are kept. */
  readonly journalDir?: string;
}

const { link, decisions, fd, journalDir } = JSON.parse(process.argv[2] ?? '{}') as Settings;
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

function decide(mac: string): BootDecision {
  const kind = decisions[mac] ?? 'silent';
  const reason = `the test says ${kind}`;
  if (kind !== 'agent') return { kind, reason };
  return { kind, purpose: 'report', taskId: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId, reason };
}

async function main(): Promise<void> {
  const journal =
    journalDir === undefined
      ? undefined
      : await openLeaseJournal({
          dir: journalDir,
          linkName: link.name,
          onProblem: (problem) => say({ problem }),
        });
  const server = createDhcpServer({
    link,
    decider: { decide },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    open: openUdpSocket({
      serverAddress: link.serverAddress,
      port: link.ports.server,
      ...(fd === undefined ? {} : { fd }),
    }),
    ...(journal === undefined ? {} : { initialLeases: journal.leases, onLease: journal.append }),
    onEvent: (event) => say({ event }),
    onFailure: (error) => {
      throw error;
    },
  });
  say({ ready: await server.start() });
  createInterface({ input: process.stdin }).on('line', () => say({ leases: server.leases() }));
  process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
