/** Fixtures are what a host with eth0 in use and br9 without a cable showed. */
import { hostInterfaces } from './host-interfaces';

const DEV = [
  'Inter-|   Receive',
  ' face |bytes',
  '    lo: 1 2',
  '  eth0: 1 2',
  '   br9: 0 0',
  '  eth7: 0 0',
  '',
].join('\n');
const FIB_TRIE = `Main:
  +-- 0.0.0.0/1 2 0 2
     +-- 10.9.0.0/24 2 0 2
           |-- 10.9.0.0
              /24 link UNICAST
           |-- 10.9.0.1
              /32 host LOCAL
        |-- 10.9.0.255
           /32 link BROADCAST
           |-- 192.0.2.2
              /32 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
Local:
           |-- 10.9.0.1
              /32 host LOCAL
`;
const ROUTE = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
br9\t0000090A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;
const ipv4 = (address: string) =>
  ({ address, family: 'IPv4', netmask: '', mac: '', internal: false, cidr: null }) as const;
const running = { lo: [ipv4('127.0.0.1')], eth0: [ipv4('192.0.2.2')] };

it('gives an interface without a cable the address that it has', () => {
  expect([...hostInterfaces({ dev: DEV, fibTrie: FIB_TRIE, route: ROUTE, running })]).toEqual([
    ['lo', ['127.0.0.1']],
    ['eth0', ['192.0.2.2']],
    ['br9', ['10.9.0.1']],
    ['eth7', []],
  ]);
});

it('is content with what the runtime knows where /proc shows nothing', () => {
  expect([...hostInterfaces({ dev: '', fibTrie: '', route: '', running })]).toEqual([
    ['lo', ['127.0.0.1']],
    ['eth0', ['192.0.2.2']],
  ]);
});
