/**
 * A DHCP rule as a test that runs against more than one server: against ours, and against dnsmasq and Kea where rules/dhcp-references.ts says what
 * they do. Who keeps the rule must pass the same test, which shows that the test is fair; who differs must fail it, so that the reason stays true.
 */
import { itWhen } from '../../integration/harness/it-when';
import { DHCP_REFERENCE_ROWS } from '../rules/dhcp-references';
import type { DhcpReferenceName } from './dhcp-reference';
import { DHCP_REFERENCES, missingDhcpReference } from './dhcp-reference';
import type { WireOptions } from './netboot-dhcp-wire';
import { Wire, closeWires } from './netboot-dhcp-wire';

/** Whom the test asks. */
export interface DhcpPeer {
  open(options?: WireOptions): Promise<Wire>;
}

const OURS: DhcpPeer = { open: (options) => Wire.open(options) };
/** A foreign server starts within this even on a busy machine, and a test opens a few. */
const FOREIGN_MS = 60_000;

/** @param title begins with the id of its rule */
export function rule(title: string, body: (peer: DhcpPeer) => Promise<void>): void {
  it(title, () => body(OURS));
  const id = title.slice(0, title.indexOf(':'));
  for (const name of DHCP_REFERENCES) {
    const verdict = DHCP_REFERENCE_ROWS[id]?.[name];
    if (verdict === undefined) continue;
    const run = itWhen(missingDhcpReference(name));
    if (verdict === 'keeps') run(`${title} — ${name} too`, () => body(foreign(name)), FOREIGN_MS);
    else run(`${title} — not ${name}: ${verdict}`, () => differs(name, body), FOREIGN_MS);
  }
}

function foreign(name: DhcpReferenceName): DhcpPeer {
  return { open: (options) => Wire.open({ ...options, against: name }) };
}

async function differs(name: DhcpReferenceName, body: (peer: DhcpPeer) => Promise<void>): Promise<void> {
  let opened = false;
  const peer: DhcpPeer = {
    async open(options) {
      const wire = await foreign(name).open(options);
      opened = true;
      return wire;
    },
  };
  const failure: unknown = await body(peer).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  await closeWires();
  // A server that did not start proves nothing.
  expect(opened).toBe(true);
  expect(failure).toBeDefined();
}
