import { classifyClient } from './client';
import { CAPTURES } from './fixtures/captures';
import { hexBytes } from './fixtures/lab';
import { OPTION } from './option-codes';
import { text, u16 } from './options';
import { decodePacket } from './packet';

function classify(options: readonly (readonly [number, Uint8Array])[]) {
  return classifyClient(new Map(options));
}

describe('classifyClient', () => {
  it.each(CAPTURES.map((capture) => [capture.name, capture] as const))('knows %s', (_, capture) => {
    const decoded = decodePacket(hexBytes(capture.frame));
    if (decoded.kind !== 'packet') throw new Error(decoded.problem);
    const { stage, architectureTypes } = classifyClient(decoded.packet.options);
    expect({ stage, architectureTypes }).toEqual({
      stage: capture.stage,
      architectureTypes: capture.architectureTypes,
    });
  });

  it.each([
    ['bare, as iPXE sends it', '69505845', 'ipxe'],
    ['behind its length (RFC 3004)', '0469505845', 'ipxe'],
    ['second of two classes', '03616263 0469505845', 'ipxe'],
    ['another class', '0461626364', 'firmware'],
    ['a class that lies about its length', '09695058', 'firmware'],
    ['a class of length 0', '00', 'firmware'],
    ['a longer name', '6950584532', 'firmware'],
  ])('user class %s (IP1)', (_, userClass, stage) => {
    const options = [
      [OPTION.userClass, hexBytes(userClass)],
      [60, text('PXEClient:Arch:00000:UNDI:002001')],
    ] as const;
    expect(classify(options).stage).toBe(stage);
  });

  it('takes option 175 alone for iPXE and reads its features (IP2)', () => {
    const features = (hex: string) => classify([[OPTION.ipxeEncapsulated, hexBytes(hex)]]).features;
    expect(features('130101 140101')).toEqual({ http: true, https: true });
    expect(features('130101')).toEqual({ http: true, https: false });
    expect(features('150101')).toEqual({ http: false, https: false });
    expect(features('13ff')).toEqual({ http: true, https: false });
  });

  it.each([
    ['PXEClient', 'firmware', 'pxe'],
    ['PXEClient:Arch:00000:UNDI:002001', 'firmware', 'pxe'],
    ['HTTPClient:Arch:00016:UNDI:003000', 'firmware', 'http'],
    ['MSFT 5.0', 'os', undefined],
    ['xPXEClient', 'os', undefined],
  ])('vendor class %s (P1)', (vendorClass, stage, method) => {
    expect(classify([[60, text(vendorClass)]])).toMatchObject({ stage, ...(method ? { method } : {}) });
  });

  it('reads several architectures, and falls back to option 60 when 93 is odd or absent (P4)', () => {
    const vendorClass = [60, text('PXEClient:Arch:00009:UNDI:003000')] as const;
    const types = (value?: Uint8Array) =>
      classify(value ? [vendorClass, [93, value]] : [vendorClass]).architectureTypes;
    expect(types(hexBytes('000b0007'))).toEqual([11, 7]);
    expect(types(hexBytes('000b00'))).toEqual([9]);
    expect(types()).toEqual([9]);
    expect(types(u16(0))).toEqual([0]);
  });
});
