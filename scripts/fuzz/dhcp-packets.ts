/**
 * Hostile DHCP packets for the fuzzer: mutated captures of real firmware and systems, and well-framed packets with every combination
 * of messages, fields and options, sensible and senseless, from few enough machines that they meet again. Pure in the random numbers.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { MacAddress } from '@lpmos/core';
import { addressOption, bootRequest, encodePacket, textOption, u16Option } from '@lpmos/netboot';
import { mutate } from './mutate';
import type { SeededRandom } from './seeded-random';

const CAPTURES = resolve(__dirname, '../../packages/netboot/src/dhcp/fixtures/captures.json');
/** Addresses that the servers under attack know, so that packets reach what lies behind the gate. */
export interface Surroundings {
  readonly server: string;
  readonly relays: readonly string[];
  readonly reserved: string;
}

export function readCorpus(): readonly Uint8Array[] {
  const captures = JSON.parse(readFileSync(CAPTURES, 'utf8')) as readonly { readonly frame: string }[];
  return captures.map(({ frame }) => Buffer.from(frame, 'hex'));
}

/** One datagram of the attack. */
export function nextPacket(
  corpus: readonly Uint8Array[],
  around: Surroundings,
  random: SeededRandom,
): Uint8Array {
  return random.chance(0.6) ? combined(around, random) : mutate(corpus, random);
}

const TYPES = [
  'DHCPDISCOVER',
  'DHCPREQUEST',
  'DHCPDECLINE',
  'DHCPRELEASE',
  'DHCPINFORM',
  'DHCPOFFER',
  'DHCPACK',
] as const;
const FREQUENT = ['DHCPDISCOVER', 'DHCPREQUEST'] as const;
const CLASSES = [
  'PXEClient',
  'PXEClient:Arch:00000:UNDI:002001',
  'HTTPClient:Arch:00016:UNDI:003000',
  'MSFT 5.0',
  '',
];
/** Those that decide something, those that come back, and a few that mean nothing. */
const CODES = [12, 43, 50, 51, 52, 54, 55, 57, 58, 60, 61, 77, 81, 82, 90, 93, 97, 116, 145, 175, 224];

/** Well-framed packets: every message, every option with sensible and senseless values, few machines that meet again. */
function combined(around: Surroundings, random: SeededRandom): Uint8Array {
  const address = (): string =>
    random.pick([
      `127.0.1.${random.below(4)}`,
      `127.0.${random.below(10)}.${random.below(256)}`,
      around.reserved,
    ]);
  const options = new Map<number, Uint8Array>();
  for (let left = random.below(8); left > 0; left -= 1) {
    const code = random.pick(CODES);
    options.set(
      code,
      random.chance(0.9) ? sensible(code, { random, address, server: around.server }) : noise(random),
    );
  }
  const mac =
    `52:54:00:00:0${random.below(4)}:${random.below(256).toString(16).padStart(2, '0')}` as MacAddress;
  const relayed = random.chance(0.3)
    ? { giaddr: random.pick([...around.relays, '192.0.2.1', around.server]) }
    : {};
  const packet = bootRequest({
    type: random.chance(0.6) ? random.pick(FREQUENT) : random.pick(TYPES),
    mac,
    xid: random.below(1000),
    secs: random.below(70_000) & 0xffff,
    hops: random.chance(0.95) ? random.below(3) : random.pick([16, 17, 255]),
    broadcast: random.chance(0.5),
    ciaddr: random.chance(0.4) ? address() : '0.0.0.0',
    ...relayed,
    options,
  });
  const op = random.chance(0.97) ? 1 : random.below(256);
  return encodePacket({
    ...packet,
    op,
    flags: random.below(0x10000),
    file: random.chance(0.9) ? '' : 'x'.repeat(random.below(128)),
  });
}

interface Choice {
  readonly random: SeededRandom;
  readonly address: () => string;
  readonly server: string;
}

function sensible(code: number, { random, address, server }: Choice): Uint8Array {
  if (code === 50) return addressOption(address());
  if (code === 54) return addressOption(random.pick([server, server, '127.0.0.2']));
  if (code === 57) return u16Option(random.pick([0, 300, 576, 1500, 65_280]));
  if (code === 60) return textOption(random.pick(CLASSES));
  if (code === 77) return textOption(random.pick(['iPXE', '\u0004iPXE', '\u00ff', 'x']));
  if (code === 93) return u16Option(random.pick([0, 6, 7, 9, 11, 16, 65_535]));
  if (code === 43)
    return Buffer.from(random.pick(['470480000000ff', '060108ff', '47', '4704', 'ff', '']), 'hex');
  if (code === 82)
    return Buffer.from(random.pick(['0104000102', '05047f0000000b047f000001', '0504', '01ff']), 'hex');
  if (code === 52) return Uint8Array.of(random.below(5));
  if (code === 51 || code === 58)
    return Buffer.from(random.pick(['00000000', 'ffffffff', '0000003c']), 'hex');
  return noise(random);
}

function noise(random: SeededRandom): Uint8Array {
  return Uint8Array.from({ length: random.below(random.chance(0.1) ? 600 : 20) }, () => random.below(256));
}
