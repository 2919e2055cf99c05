import type { LinkPlan } from './link';
import { planLink } from './link';
import type { MessageTypeName } from './option-codes';
import { MESSAGE_TYPE, OPTION, RELAY_SUBOPTION } from './option-codes';
import { address, subOptions, u8 } from './options';
import { selectLink } from './select-link';

function plan(name: string, net: string, more: { relays?: string[]; relayedOnly?: boolean } = {}): LinkPlan {
  return planLink({
    ...{
      name,
      serverAddress: '10.0.1.1',
      subnet: `${net}.0/24`,
      dnsServers: [],
      leaseSeconds: 60,
      offerSeconds: 60,
    },
    ...{
      reservations: [],
      relays: [],
      ports: { server: 67, client: 68, relay: 67 },
      unknownClients: 'lease',
    },
    boot: { nextServer: '10.0.1.1', loaders: {}, scriptUrl: 'http://10.0.1.1/' },
    ...more,
  });
}

const near = plan('near', '10.0.1', { relays: ['10.0.1.254', '192.0.2.9'] });
const other = plan('other', '10.0.2');
const far = plan('far', '10.0.3', { relays: ['10.0.3.1', '192.0.2.9'], relayedOnly: true });
const plans = [near, other, far];

interface Asked {
  readonly type?: MessageTypeName;
  readonly giaddr?: string;
  readonly ciaddr?: string;
  readonly selection?: string;
}
interface Where {
  readonly heardOn?: LinkPlan;
  readonly sender?: string;
}

function choose(packet: Asked, { heardOn = near, sender }: Where = {}): string {
  const { type = 'DHCPREQUEST', selection, giaddr = '0.0.0.0', ciaddr = '0.0.0.0' } = packet;
  const information =
    selection === undefined ? undefined : subOptions([[RELAY_SUBOPTION.linkSelection, address(selection)]]);
  const selected = selectLink({
    packet: {
      ...{ giaddr, ciaddr },
      options: new Map([
        [OPTION.messageType, u8(MESSAGE_TYPE[type])],
        ...(information === undefined ? [] : [[OPTION.relayAgentInformation, information] as const]),
      ]),
    },
    ...{ heardOn, plans },
    ...(sender === undefined ? {} : { sender }),
  });
  return selected.problem ?? selected.plan.link.name;
}

describe('the link of a request', () => {
  it.each<[string, Asked, Where, string]>([
    ['a broadcast is of the wire that it was heard on', {}, { heardOn: other }, 'other'],
    [
      'also when its sender names an address of another',
      { type: 'DHCPDISCOVER', ciaddr: '10.0.3.77' },
      {},
      'near',
    ],
    ['a relay names the subnet by its own address', { giaddr: '10.0.3.1' }, {}, 'far'],
    ['wherever its packet came in', { giaddr: '10.0.1.254' }, { heardOn: other }, 'near'],
    [
      'link selection goes before the relay’s address',
      { giaddr: '10.0.1.254', selection: '10.0.3.0' },
      {},
      'far',
    ],
    [
      'link selection decides for a relay of two links',
      { giaddr: '192.0.2.9', selection: '10.0.1.7' },
      {},
      'near',
    ],
    ['a relay that is not listed goes to its subnet, which refuses it', { giaddr: '10.0.2.9' }, {}, 'other'],
    ['a relay of nowhere goes where it was heard, which refuses it', { giaddr: '198.51.100.1' }, {}, 'near'],
    ['a client behind a relay renews without it', { ciaddr: '10.0.3.77' }, {}, 'far'],
    ['a client of a wire without relays is of that wire alone', { ciaddr: '10.0.2.77' }, {}, 'near'],
    ['a client at home stays', { ciaddr: '10.0.1.77' }, {}, 'near'],
    ['on the boot server’s port the sender tells', {}, { sender: '10.0.3.77' }, 'far'],
    ['also to the socket of its own link', { ciaddr: '10.0.3.77' }, { heardOn: far }, 'far'],
    ['and asks the boot server there', {}, { heardOn: far, sender: '10.0.3.77' }, 'far'],
    ['on the unicast socket of a relayed link too', { giaddr: '10.0.1.254' }, { heardOn: far }, 'near'],
    [
      'which may hear what any client sends to our address',
      { ciaddr: '10.0.2.77' },
      { heardOn: far },
      'other',
    ],
  ])('%s', (_rule, packet, where, expected) => {
    expect(choose(packet, where)).toBe(expected);
  });

  it('is none for a relay that two links list when nothing decides between them', () => {
    expect(choose({ giaddr: '192.0.2.9' })).toMatch(/listed by the links near and far .* link selection/);
  });

  it('is none for a stranger on the socket of a link that only relays reach', () => {
    expect(choose({}, { heardOn: far })).toMatch(/^link far is reached by relays alone/);
  });
});
