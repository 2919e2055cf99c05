/**
 * IPv4 addresses and subnets as DHCP needs them: dotted text outside, unsigned 32-bit numbers where addresses are compared or counted.
 * Strict: four decimal numbers without leading zeros, because `010.0.0.1` means different hosts to different programs.
 */

const DOTTED = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

export const NO_ADDRESS = '0.0.0.0';
export const LIMITED_BROADCAST = '255.255.255.255';

/** The address as an unsigned number, or undefined when the text is none. */
export function readIpv4(text: string): number | undefined {
  const match = DOTTED.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

export interface Subnet {
  readonly network: number;
  readonly prefix: number;
  readonly netmask: number;
  readonly broadcast: number;
}

/** `10.77.0.0/24`; undefined when it is no subnet of at least two hosts or when host bits are set. */
export function readSubnet(text: string): Subnet | undefined {
  const [address = '', prefixText = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^\d{1,2}$/.test(prefixText)) return undefined;
  const network = readIpv4(address);
  const prefix = Number(prefixText);
  // A /31 or /32 has no broadcast address, and a /0 is no link.
  if (network === undefined || prefix < 8 || prefix > 30) return undefined;
  const netmask = (0xffffffff << (32 - prefix)) >>> 0;
  if ((network & netmask) >>> 0 !== network) return undefined;
  return { network, prefix, netmask, broadcast: (network | ~netmask) >>> 0 };
}

/** True for addresses that a host of the subnet may have: neither the network nor the broadcast address. */
export function isHostOf(subnet: Subnet, address: number): boolean {
  return address > subnet.network && address < subnet.broadcast;
}
