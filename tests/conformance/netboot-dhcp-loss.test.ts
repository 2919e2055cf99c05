/**
 * DHCP over a switch that loses frames, with udhcpc and dhclient as machines: every one of them has an address of its own within the patience of
 * firmware, whatever is lost, and the server remembers exactly one lease for each. The rates and times stand on stdout as a table.
 */
import { itWhen } from '../integration/harness/it-when';
import { missingLossySwitch } from './harness/lossy-switch';
import { DhcpLab } from './harness/netboot-dhcp-lab';

/** As many machines at once; half of them run udhcpc, half dhclient. */
const MACHINES = 24;
/** Two timers of PXE firmware: 4, 8, 16 and 32 seconds, and what is left of a minute. */
const PATIENCE_MS = 64_000;

interface Outcome {
  readonly address: string;
  readonly seconds: number;
}

const table: string[] = [];
let opened: DhcpLab | undefined;
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});
afterAll(() => void process.stdout.write(`\nDHCP over a lossy switch:\n${table.join('\n')}\n`));

/** How each machine of the lab asks. Like firmware it asks again soon; the daemons' own defaults wait for minutes. */
function clientsOf(lab: DhcpLab): readonly { output: () => string }[] {
  const udhcpcScript = lab.script('udhcpc.sh', ['echo "$1 ip=$ip"']);
  const dhclientScript = lab.script('dhclient.sh', ['echo "$reason ip=$new_ip_address"']);
  const settings = lab.script('dhclient.conf', [
    'timeout 64; retry 1; initial-interval 1; backoff-cutoff 4; select-timeout 0;',
  ]);
  return lab.devices.map((device, index) => {
    if (index % 2 === 0) {
      const retries = ['-t', '4', '-T', '2', '-A', '1'];
      return lab.client('udhcpc', ['-i', device, '-f', '-q', ...retries, '-s', udhcpcScript]);
    }
    const files = ['-lf', lab.path(`leases-${index}`), '-pf', lab.path(`pid-${index}`)];
    return lab.client('dhclient', ['-4', '-d', '-sf', dhclientScript, ...files, '-cf', settings, device]);
  });
}

const addressIn = (output: string): string | undefined =>
  /(?:bound|BOUND) ip=(10\.77\.0\.\d+)/.exec(output)?.[1];

async function bootAll(lab: DhcpLab): Promise<readonly Outcome[]> {
  const began = performance.now();
  const clients = clientsOf(lab);
  const done = new Map<number, Outcome>();
  const look = (): boolean => {
    for (const [index, client] of clients.entries()) {
      const address = addressIn(client.output());
      if (address === undefined || done.has(index)) continue;
      done.set(index, { address, seconds: (performance.now() - began) / 1000 });
    }
    return done.size === clients.length;
  };
  // Whoever is late is counted below, with the others' results.
  await lab.until('every machine has its address', look, PATIENCE_MS).catch(() => undefined);
  return [...done.values()];
}

describe.each([0, 1, 5, 20])('over a switch that loses %i %% of the frames', (lossPercent) => {
  const missing = DhcpLab.obstacle('udhcpc') ?? DhcpLab.obstacle('dhclient') ?? missingLossySwitch();
  itWhen(missing)(
    'D2, D22: every machine gets an address of its own and is remembered once',
    async () => {
      opened = await DhcpLab.open({ switch: { machines: MACHINES, lossPercent } });
      const outcomes = await bootAll(opened);
      const times = outcomes.map(({ seconds }) => seconds).sort((a, b) => a - b);
      const at = (share: number): string =>
        (times[Math.ceil(share * times.length) - 1] ?? Number.NaN).toFixed(1);
      table.push(
        `  ${String(lossPercent).padStart(2)} % loss: ${outcomes.length} of ${MACHINES}, median ${at(0.5)} s, slowest ${at(1)} s`,
      );
      expect(outcomes).toHaveLength(MACHINES);
      expect(new Set(outcomes.map(({ address }) => address)).size).toBe(MACHINES);
      const leases = await opened.leases();
      expect(leases.map(({ address }) => address).sort()).toEqual(
        outcomes.map(({ address }) => address).sort(),
      );
    },
    PATIENCE_MS + 60_000,
  );
});
