/**
 * What clients put into their DHCP messages, as data: the option sets captured from SeaBIOS with an iPXE ROM, OVMF and chain-loaded
 * iPXE, in the order of their bytes, and their patience. Building and retrying is dhcp-client.ts.
 * RFC 4578 (93, 94, 97), RFC 3004 (77; iPXE sends the bare word), iPXE's option 175.
 */
import { OPTION, subOptions, textOption, u16Option } from '@lpmos/netboot';
import { macToBytes } from '@lpmos/core';
import type { MacAddress } from '@lpmos/core';

/** Who speaks: `pxe` is a vendor's ROM or firmware that loads a file by TFTP, `ipxe` runs scripts. */
export interface BootClient {
  readonly program: 'pxe' | 'ipxe';
  readonly firmware: 'bios' | 'uefi';
  readonly mac: MacAddress;
  /** Of SMBIOS. */
  readonly uuid: string;
}

interface ClientRow {
  /** Seconds to the next try; after the last the client gives up. */
  readonly patienceSeconds: readonly [number, ...number[]];
  readonly broadcast: boolean;
  readonly maximumMessageSize: number;
  readonly vendorClass: string;
  readonly architecture: number;
  readonly networkInterface: readonly [number, number, number];
  readonly parameters: readonly number[];
  /** Option numbers after 53, in the order of the capture. */
  readonly order: readonly number[];
  /** Waits this long for a proxyDHCP offer unless option 175.176 tells it not to. */
  readonly proxyWaitSeconds: number;
}

const IPXE_PARAMETERS = [
  1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135, 175, 203,
];
const EDK2_PARAMETERS = [
  1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128,
  129, 130, 131, 132, 133, 134, 135,
];
const IPXE_ORDER = [57, 93, 94, 60, 77, 55, 175, 61, 97];
const EDK2_ORDER = [57, 55, 97, 94, 93, 60];
const IPXE_PATIENCE = [1, 2, 4, 8, 10] as const;
/** PXE 2.1 section 2.2.1. */
const PXE_PATIENCE = [4, 8, 16, 32] as const;

export const BOOT_CLIENTS: Readonly<Record<`${BootClient['program']}-${BootClient['firmware']}`, ClientRow>> =
  {
    'ipxe-bios': {
      patienceSeconds: IPXE_PATIENCE,
      broadcast: false,
      maximumMessageSize: 1472,
      vendorClass: 'PXEClient:Arch:00000:UNDI:002001',
      architecture: 0,
      networkInterface: [1, 2, 1],
      parameters: IPXE_PARAMETERS,
      order: IPXE_ORDER,
      proxyWaitSeconds: 3,
    },
    'ipxe-uefi': {
      patienceSeconds: IPXE_PATIENCE,
      broadcast: false,
      maximumMessageSize: 1472,
      vendorClass: 'PXEClient:Arch:00007:UNDI:003010',
      architecture: 7,
      networkInterface: [1, 3, 10],
      parameters: IPXE_PARAMETERS,
      order: IPXE_ORDER,
      proxyWaitSeconds: 3,
    },
    'pxe-bios': {
      patienceSeconds: PXE_PATIENCE,
      broadcast: true,
      maximumMessageSize: 1260,
      vendorClass: 'PXEClient:Arch:00000:UNDI:002001',
      architecture: 0,
      networkInterface: [1, 2, 1],
      parameters: EDK2_PARAMETERS,
      order: EDK2_ORDER,
      proxyWaitSeconds: 0,
    },
    'pxe-uefi': {
      patienceSeconds: PXE_PATIENCE,
      broadcast: true,
      maximumMessageSize: 1472,
      vendorClass: 'PXEClient:Arch:00007:UNDI:003000',
      architecture: 7,
      networkInterface: [1, 3, 0],
      parameters: EDK2_PARAMETERS,
      order: EDK2_ORDER,
      proxyWaitSeconds: 0,
    },
  };

export function clientRow(client: BootClient): ClientRow {
  return BOOT_CLIENTS[`${client.program}-${client.firmware}`];
}

/** The options of a DISCOVER after 53; a REQUEST appends 54 and 50 at the end, as iPXE does. */
export function clientOptions(client: BootClient): (readonly [number, Uint8Array])[] {
  const row = clientRow(client);
  const values = new Map<number, Uint8Array>([
    [OPTION.maximumMessageSize, u16Option(row.maximumMessageSize)],
    [OPTION.clientSystemArchitecture, u16Option(row.architecture)],
    [OPTION.clientNetworkInterface, Uint8Array.from(row.networkInterface)],
    [OPTION.vendorClassIdentifier, textOption(row.vendorClass)],
    [OPTION.userClass, textOption('iPXE')],
    [OPTION.parameterRequestList, Uint8Array.from(row.parameters)],
    [OPTION.ipxeEncapsulated, ipxeFeatures(client.firmware)],
    [OPTION.clientIdentifier, Uint8Array.of(1, ...macToBytes(client.mac))],
    [OPTION.clientMachineIdentifier, Uint8Array.of(0, ...uuidBytes(client.uuid))],
  ]);
  return row.order.flatMap((code) => {
    const value = values.get(code);
    return value === undefined ? [] : [[code, value] as const];
  });
}

/** Feature sub-options of Debian's builds, byte for byte; 177 names the NIC by its PCI ids, 235 is iPXE's version. */
function ipxeFeatures(firmware: BootClient['firmware']): Uint8Array {
  const features =
    firmware === 'bios'
      ? [0x17, 0x22, 0x13, 0x11, 0x27, 0x19, 0x29, 0x10, 0x21, 0x15, 0x18, 0x12]
      : [0x17, 0x13, 0x11, 0x27, 0x29, 0x15, 0x12, 0x24, 0x1b];
  /** Sub-option 16 counts the PXE API version; all others are switches. */
  const valueOf = (feature: number): number => (feature === 0x10 ? 2 : 1);
  return subOptions([
    [177, Uint8Array.of(0x01, 0x1a, 0xf4, 0x10, 0x00)],
    [235, Uint8Array.of(1, 0, 0)],
    ...features.map((feature) => [feature, Uint8Array.of(valueOf(feature))] as const),
  ]);
}

/** SMBIOS stores the first three fields little-endian, and ROMs copy those bytes into option 97 as they are. */
function uuidBytes(uuid: string): number[] {
  const bytes = (uuid.replaceAll('-', '').match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
  const swapped = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return swapped.map((index) => bytes[index] ?? 0);
}
