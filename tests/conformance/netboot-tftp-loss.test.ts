/**
 * TFTP over a bad network with foreign clients: the copy is always the file or there is none, and the clients get through as often as
 * they should. The rates stand on stdout as a table. A machine's firmware asks again when a transfer fails, and so does the test.
 */
import { createFileTable, createTftpServer, type TftpServer } from '@lpmos/netboot';
import { itWhen } from '../integration/harness/it-when';
import { openFaultWire, type FaultWire, type WireFaults } from './harness/fault-wire';
import {
  missingClient,
  patternBytes,
  scratchFolder,
  systemClock,
  until,
} from './harness/netboot-foreign-clients';
import { copyAt, FOREIGN_TFTP_CLIENTS, saysFailure, type ForeignTftpClient } from './harness/tftp-peers';

/** Each lost packet costs a second; a loader's first blocks show everything that its last ones could. */
const FILE = patternBytes(3000);
const TRIALS = 5;
/** So often firmware tries before it goes to its next boot entry. */
const ATTEMPTS = 4;
const SEED = 20_260_401;

const NETWORKS: readonly (readonly [string, WireFaults])[] = [
  ['a perfect network', { loss: 0, duplication: 0, jitterMs: 0 }],
  ['1 % loss', { loss: 0.01, duplication: 0, jitterMs: 2 }],
  ['5 % loss', { loss: 0.05, duplication: 0, jitterMs: 2 }],
  ['20 % loss', { loss: 0.2, duplication: 0, jitterMs: 2 }],
  ['duplicates and reordering', { loss: 0, duplication: 0.3, jitterMs: 25 }],
  ['5 % loss, duplicates and reordering', { loss: 0.05, duplication: 0.1, jitterMs: 25 }],
];

const scratch = scratchFolder();
const table: string[] = [];
const networks = new Map<string, Network>();
let server: TftpServer;
let port: number;

beforeAll(async () => {
  server = createTftpServer({
    address: '127.0.0.1',
    port: 0,
    files: createFileTable({ 'loader.bin': FILE }),
    onEvent: () => undefined,
    clock: systemClock,
    limits: { maxSessionsPerPeer: 1024 },
  });
  ({ port } = await server.start());
  for (const [name, faults] of NETWORKS) networks.set(name, await openNetwork(name, faults));
});
afterAll(async () => {
  networks.forEach(({ wire }) => wire.close());
  await server.stop();
  scratch.remove();
  process.stdout.write(
    `\nTFTP boots over a bad network, of ${TRIALS} (transfers tried):\n${table.join('\n')}\n`,
  );
});

interface Road {
  readonly wire: FaultWire;
  readonly doubles: boolean;
}

interface Boot {
  readonly booted: boolean;
  readonly attempts: number;
}

/** Tries as firmware does. @throws Error when a transfer that the client calls whole has other bytes. */
async function boot(client: ForeignTftpClient, { wire, doubles }: Road, copy: string): Promise<Boot> {
  const fetch = doubles ? (client.fetchPlainly ?? client.fetch) : client.fetch;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const to = scratch.path(`${copy}-${attempt}`);
    const run = await fetch({ address: '127.0.0.1', port: wire.port, name: 'loader.bin', to });
    const bytes = copyAt(to);
    if (bytes.equals(FILE)) return { booted: true, attempts: attempt };
    if (!saysFailure(run)) {
      throw new Error(`${client.label} calls ${bytes.length} wrong bytes a success: ${run.output}`);
    }
  }
  return { booted: false, attempts: ATTEMPTS };
}

interface Network {
  readonly wire: FaultWire;
  /** By the client's label. */
  readonly boots: ReadonlyMap<string, Promise<readonly Boot[]>>;
}

const clients = FOREIGN_TFTP_CLIENTS.filter(
  ({ program, debianPackage }) => missingClient(program, debianPackage) === undefined,
);

/** Everything is waiting for a retry most of the time, so all networks and clients run at once. */
async function openNetwork(name: string, faults: WireFaults): Promise<Network> {
  const wire = await openFaultWire({ serverPort: port, faults, seed: SEED });
  const boots = clients.map((client) => {
    const copy = (index: number) => `${client.label}-${name}-${index}`.replaceAll(/[^a-z0-9]+/gi, '-');
    const all = Promise.all(
      Array.from({ length: TRIALS }, (_none, index) =>
        boot(client, { wire, doubles: faults.duplication > 0 }, copy(index)),
      ),
    );
    // The test that awaits it reports it; until then a failure must not count as unhandled.
    all.catch(() => undefined);
    return [client.label, all] as const;
  });
  return { wire, boots: new Map(boots) };
}

describe.each(NETWORKS)('TF22: over %s', (network, faults) => {
  describe.each(FOREIGN_TFTP_CLIENTS)('$label', ({ label, program, debianPackage }) => {
    itWhen(missingClient(program, debianPackage))(
      'gets the file or a clean failure, and boots',
      async () => {
        const boots = (await networks.get(network)?.boots.get(label)) ?? [];
        const booted = boots.filter((each) => each.booted).length;
        const transfers = boots.reduce((sum, each) => sum + each.attempts, 0);
        table.push(`  ${network.padEnd(36)} ${label.padEnd(10)} ${booted} (${transfers})`);
        expect(booted).toBe(TRIALS);
      },
      300_000,
    );
  });

  it('loses and doubles as many packets as it should', () => {
    const { carried, lost, doubled } = networks.get(network)?.wire.counts() ?? {
      carried: 0,
      lost: 0,
      doubled: 0,
    };
    expect(carried).toBeGreaterThan(100);
    const share = (count: number) => count / (carried + lost - doubled);
    expect(Math.abs(share(lost) - faults.loss)).toBeLessThanOrEqual(faults.loss / 2);
    expect(Math.abs(share(doubled) - faults.duplication)).toBeLessThanOrEqual(faults.duplication / 2);
  });
});

it('TF5: no transfer is left behind by all the failures', async () => {
  await until('every transfer has ended', () => server.sessions() === 0, 60_000);
}, 70_000);
