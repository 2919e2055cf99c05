/** The style of every reply by captured clients, and that each row of the table means somebody. */
import { classifyClient } from './client';
import { text, u16 } from './options';
import { bootStyle, QUIRKS } from './quirks';

const CLIENTS = {
  rom: { 60: text('PXEClient:Arch:00000:UNDI:002001'), 93: u16(0) },
  edk2: { 60: text('PXEClient:Arch:00007:UNDI:003000'), 93: u16(7) },
  http: { 60: text('HTTPClient:Arch:00016:UNDI:003000'), 93: u16(16) },
  ipxe: { 60: text('PXEClient:Arch:00000:UNDI:002001'), 93: u16(0), 77: text('iPXE') },
  /** On port 4011 after a boot menu. */
  bare: { 60: text('PXEClient'), 77: text('iPXE') },
};
const clientOf = (name: keyof typeof CLIENTS) =>
  classifyClient(new Map(Object.entries(CLIENTS[name]).map(([code, value]) => [Number(code), value])));

describe('the style of a reply', () => {
  it.each([
    ['rom', ['PXEClient', true, 'with-nul', 'direct-boot', false]],
    ['edk2', ['PXEClient', true, 'plain', 'direct-boot', false]],
    ['http', ['HTTPClient', false, 'plain', 'none', false]],
    ['ipxe', ['PXEClient', false, 'plain', 'none', true]],
    ['bare', ['PXEClient', false, 'plain', 'none', true]],
  ] as const)('%s', (name, [vendorClass, serverName, bootfile, vendorOptions, noProxyWait]) => {
    const style = bootStyle(clientOf(name));
    expect(style).toEqual({
      ...{ vendorClass, serverName, bootfile, vendorOptions, noProxyWait },
      fileField: true,
    });
  });

  it('is changed by every row of the table for one of these clients, so that no row is dead', () => {
    const names = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[];
    for (const { name, style } of QUIRKS) {
      const fits = names.some((client) =>
        Object.entries({ ...bootStyle(clientOf(client)), ...style }).every(
          ([key, value]) => bootStyle(clientOf(client))[key as keyof typeof style] === value,
        ),
      );
      expect([name, fits]).toEqual([name, true]);
    }
  });
});
