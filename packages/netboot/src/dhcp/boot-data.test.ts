import type { BootDecision, TaskId } from '@lpmos/core';
import { bootData } from './boot-data';
import { classifyClient } from './client';
import { architectureType, LOADER_KEYS } from './firmware';
import { AGENT, LAB, LOCAL_DISK, MAC, SILENT, bytesHex, hexBytes } from './fixtures/lab';
import type { BootSources } from './link';
import { text, u16 } from './options';

const SOURCES: BootSources = {
  ...LAB.boot,
  loaders: { bios: 'undionly.kpxe', x64: 'ipxe.efi', ia32: 'ipxe32.efi', arm64: 'ipxe-arm64.efi' },
  httpLoaders: { x64: 'http://10.77.0.1/ipxe.efi', arm64: 'http://10.77.0.1/arm64.efi' },
};
const pxe = (type: number, vendorClass = 'PXEClient'): [number, Uint8Array][] => [
  [93, u16(type)],
  [60, text(`${vendorClass}:Arch:${String(type).padStart(5, '0')}:UNDI:003000`)],
];

interface Case {
  readonly options: readonly (readonly [number, Uint8Array])[];
  readonly sources?: Partial<BootSources>;
  readonly decision?: BootDecision;
}

function ask({ options, sources, decision = AGENT }: Case) {
  const map = new Map(options);
  return bootData({
    mac: MAC,
    client: classifyClient(map),
    decision,
    sources: { ...SOURCES, ...sources },
    options: map,
  });
}

function dataFor(given: Case) {
  const answer = ask(given);
  if (answer.kind !== 'boot') throw new Error(answer.reason);
  return answer.data;
}

const hexOf = (value: Uint8Array | undefined): string | undefined => (value ? bytesHex(value) : undefined);

describe('bootData', () => {
  it.each([
    [0, 'undionly.kpxe'],
    [6, 'ipxe32.efi'],
    [7, 'ipxe.efi'],
    [9, 'ipxe.efi'],
    [11, 'ipxe-arm64.efi'],
  ])('PXE firmware of architecture %i gets %s (P3)', (type, file) => {
    expect(dataFor({ options: pxe(type) }).file).toBe(file);
  });

  it.each([1, 2, 5, 8, 10, 12, 17, 21, 27, 255, 65_535])(
    'architecture %i gets no loader and a fault (P3)',
    (type) => {
      const answer = ask({ options: pxe(type) });
      expect(answer).toMatchObject({ kind: 'none', fault: true });
      expect(answer).toHaveProperty('reason', expect.stringContaining(`option 93 = ${type} (`));
    },
  );

  it('takes the first of several architectures that it can serve (P4)', () => {
    const options = [
      [93, hexBytes('001b000b0007')],
      [60, text('PXEClient')],
    ] as const;
    expect(dataFor({ options }).file).toBe('ipxe-arm64.efi');
    expect(dataFor({ options, sources: { loaders: { x64: 'ipxe.efi' } } }).file).toBe('ipxe.efi');
  });

  it('names server and file in all four places, with option 60, 97 and direct boot (P2, P5, P6, P10)', () => {
    const machine = hexBytes(`00${'11'.repeat(16)}`);
    const data = dataFor({ options: [...pxe(7), [97, machine]] });
    expect([data.siaddr, data.file]).toEqual(['10.77.0.1', 'ipxe.efi']);
    expect([...data.options.keys()]).toEqual([60, 97, 43, 66, 67]);
    expect(hexOf(data.options.get(60))).toBe('505845436c69656e74');
    expect(data.options.get(97)).toEqual(machine);
    expect(hexOf(data.options.get(43))).toBe('060108ff');
    expect(data.options.get(66)).toEqual(text('10.77.0.1'));
    expect(data.options.get(67)).toEqual(text('ipxe.efi'));
  });

  it('echoes an option 97 of any form (P8)', () => {
    expect(dataFor({ options: [...pxe(0), [97, hexBytes('07')]] }).options.get(97)).toEqual(hexBytes('07'));
  });

  it('gives HTTP firmware a URL, option 60 HTTPClient and never a TFTP name (H1)', () => {
    const data = dataFor({ options: pxe(16, 'HTTPClient') });
    expect(data.file).toBe('http://10.77.0.1/ipxe.efi');
    expect(data.options.get(60)).toEqual(text('HTTPClient'));
    expect([...data.options.keys()]).toEqual([60, 67]);
    expect(ask({ options: pxe(15, 'HTTPClient') })).toMatchObject({ kind: 'none', fault: true });
  });

  it.each(LOADER_KEYS.map((key) => [key]))(
    'serves %s by PXE and by HTTP once a site has a loader for it',
    (key) => {
      const sources = { loaders: { [key]: 'loader' }, httpLoaders: { [key]: 'http://10.77.0.1/loader' } };
      const types = Array.from({ length: 41 }, (_none, type) => type);
      const served = (vendorClass: string) =>
        types.filter((type) => ask({ options: pxe(type, vendorClass), sources }).kind === 'boot');
      expect(served('PXEClient')).toEqual(served('HTTPClient'));
      expect(served('PXEClient')).toEqual(types.filter((type) => architectureType(type)?.loader === key));
      expect(served('PXEClient').length).toBeGreaterThanOrEqual(2);
    },
  );

  it('ends the name in option 67 with a NUL for ROMs of BIOS, which read on to the next one (P6)', () => {
    const rom = dataFor({ options: pxe(0) });
    expect([rom.file, hexOf(rom.options.get(67))]).toEqual([
      'undionly.kpxe',
      `${bytesHex(text('undionly.kpxe'))}00`,
    ]);
    for (const options of [pxe(7), pxe(16, 'HTTPClient'), [...pxe(0), [77, text('iPXE')] as const]]) {
      expect(dataFor({ options }).options.get(67)?.at(-1)).not.toBe(0);
    }
  });

  it('names the card that asks in the URL of the script, and leaves the variables of iPXE to it', () => {
    const scriptUrl = 'http://10.77.0.1/menu.ipxe?mac={mac}&uuid=${uuid}';
    const options = [...pxe(7), [77, text('iPXE')] as const];
    expect(dataFor({ options, sources: { scriptUrl } }).file).toBe(
      'http://10.77.0.1/menu.ipxe?mac=52-54-00-00-00-01&uuid=${uuid}',
    );
  });

  it('says nothing to an installed machine whose firmware finds its disk by itself only when nobody answers', () => {
    const decision: BootDecision = { kind: 'local-disk', reason: 'installed', exitMethod: 'silent' };
    const agent: BootDecision = {
      ...{ kind: 'agent', purpose: 'report', taskId: 'T' as TaskId, reason: 'ready' },
      exitMethod: 'silent',
    };
    const options = pxe(7);
    expect(ask({ options, decision })).toMatchObject({ kind: 'none', fault: false });
    for (const other of [LOCAL_DISK, { ...decision, exitMethod: 'exit-1' } as const, agent]) {
      expect(ask({ options, decision: other }).kind).toBe('boot');
    }
  });

  it('gives iPXE the script, in both forms of its user class, and no wait for a proxy (IP1, IP3)', () => {
    for (const userClass of ['69505845', '0469505845']) {
      const data = dataFor({ options: [...pxe(7), [77, hexBytes(userClass)]] });
      expect(data.file).toBe(SOURCES.scriptUrl);
      expect(hexOf(data.options.get(175))).toBe('b00101');
      expect(data.options.has(43)).toBe(false);
    }
  });

  it('gives an https script only to an iPXE that has TLS (IP2)', () => {
    const sources = { scriptUrl: 'https://boot.lab.example/menu.ipxe' };
    const ipxe = (features: string): Case => ({ options: [...pxe(7), [175, hexBytes(features)]], sources });
    expect(ask(ipxe('130101'))).toMatchObject({ kind: 'none', fault: true });
    expect(dataFor(ipxe('130101140101')).file).toBe(sources.scriptUrl);
    expect(ask({ options: [...pxe(7), [175, hexBytes('150101')]] })).toMatchObject({
      kind: 'none',
      fault: true,
    });
  });

  it('puts a name over 127 characters into option 67 alone and never cuts it (P7)', () => {
    const scriptUrl = `http://10.77.0.1/${'x'.repeat(200)}`;
    const data = dataFor({ options: [...pxe(0), [175, hexBytes('130101')]], sources: { scriptUrl } });
    expect([data.file, data.options.get(67)]).toEqual(['', text(scriptUrl)]);
  });

  it('gives nothing to systems (P13), to machines that are not ours, and to firmware that names no architecture', () => {
    expect(ask({ options: [[60, text('MSFT 5.0')]] })).toMatchObject({ kind: 'none', fault: false });
    expect(ask({ options: pxe(7), decision: SILENT })).toMatchObject({ kind: 'none', fault: false });
    expect(ask({ options: [[60, text('PXEClient')]] })).toMatchObject({ kind: 'none', fault: true });
  });
});
