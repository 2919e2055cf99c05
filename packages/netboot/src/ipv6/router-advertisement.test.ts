import type { MacAddress } from '@lpmos/core';
import { linkLocalAddress, noRouterAdvertisement } from './router-advertisement';

it('is an advertisement of nothing: type 134 and 15 zeros', () => {
  expect([...noRouterAdvertisement()]).toEqual([134, ...Array<number>(15).fill(0)]);
});

it.each([
  // RFC 4291, appendix A: the universal/local bit is inverted.
  ['34:56:78:9a:bc:de', 'fe80::3656:78ff:fe9a:bcde'],
  ['52:54:00:4c:50:01', 'fe80::5054:ff:fe4c:5001'],
  ['02:00:00:00:00:01', 'fe80::0:ff:fe00:1'],
])('%s has the address %s', (mac, address) => {
  expect(linkLocalAddress(mac as MacAddress)).toBe(address);
});
