/**
 * Boot clients by name, as data: what each kind of firmware, iPXE and an operating system put into their DHCP requests. From captures of
 * SeaBIOS, OVMF and iPXE; `lpmos explain` replays them and `lpmos doctor` sends them.
 * RFC 4578 (93, 94, 97), RFC 3004 (77, which iPXE sends bare), iPXE's option 175, UEFI HTTP boot (option 60 `HTTPClient`).
 */
import { IPXE_SUBOPTION, OPTION, subOptions, textOption, u16Option } from '@lpmos/netboot';
import { invalidOption } from '../usage-error';

export interface BootClient {
  readonly name: string;
  /** Option 93; absent for an operating system. */
  readonly architecture?: number;
  /** Option 60. */
  readonly vendorClass?: string;
  readonly isIpxe: boolean;
}

const CLIENTS: readonly BootClient[] = [
  { name: 'bios', architecture: 0, vendorClass: 'PXEClient:Arch:00000:UNDI:002001', isIpxe: false },
  { name: 'uefi-x64', architecture: 7, vendorClass: 'PXEClient:Arch:00007:UNDI:003000', isIpxe: false },
  {
    name: 'uefi-http-x64',
    architecture: 16,
    vendorClass: 'HTTPClient:Arch:00016:UNDI:003001',
    isIpxe: false,
  },
  { name: 'arm64', architecture: 11, vendorClass: 'PXEClient:Arch:00011:UNDI:003000', isIpxe: false },
  { name: 'ia32', architecture: 6, vendorClass: 'PXEClient:Arch:00006:UNDI:003000', isIpxe: false },
  { name: 'ipxe-bios', architecture: 0, vendorClass: 'PXEClient:Arch:00000:UNDI:002001', isIpxe: true },
  { name: 'ipxe-efi', architecture: 7, vendorClass: 'PXEClient:Arch:00007:UNDI:003010', isIpxe: true },
  { name: 'os', isIpxe: false },
];

export const CLIENT_NAMES = CLIENTS.map(({ name }) => name);
const CLIENT_RULE = `must be one of ${CLIENT_NAMES.join(', ')}, or arch=7,class=PXEClient:Arch:00007 with user-class=iPXE for an iPXE`;
/** What machines without a better word are: the two firmwares of nearly every hall. */
export const USUAL_CLIENTS = ['bios', 'uefi-x64'] as const;

/** @throws LpmosError `invalid_argument` that names the option. */
export function readBootClient(text: string, option: string): BootClient {
  const named = CLIENTS.find(({ name }) => name === text);
  if (named !== undefined) return named;
  if (!text.includes('=')) throw invalidOption(option, `${CLIENT_RULE}, not "${text}"`);
  const words = new Map(
    text.split(',').map((word): readonly [string, string] => {
      const at = word.indexOf('=');
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
  const unknown = [...words.keys()].find((word) => !['arch', 'class', 'user-class'].includes(word));
  if (unknown !== undefined) throw invalidOption(option, `knows no "${unknown}"; ${CLIENT_RULE}`);
  return {
    name: text,
    ...readArchitecture(words.get('arch'), option),
    ...readVendorClass(words.get('class'), option),
    isIpxe: words.get('user-class') === 'iPXE',
  };
}

const MAX_ARCHITECTURE = 65_535;

function readArchitecture(text: string | undefined, option: string): { readonly architecture?: number } {
  if (text === undefined) return {};
  const architecture = Number(text);
  if (/^\d{1,5}$/.test(text) && architecture <= MAX_ARCHITECTURE) return { architecture };
  throw invalidOption(option, `needs arch as a number of option 93 such as 7, not "${text}"`);
}

function readVendorClass(text: string | undefined, option: string): { readonly vendorClass?: string } {
  if (text === undefined) return {};
  if (/^[\x21-\x7e]{1,100}$/.test(text)) return { vendorClass: text };
  throw invalidOption(option, 'needs class as option 60 says it, such as PXEClient:Arch:00007:UNDI:003000');
}

/** The iPXE that a firmware's loader is. */
export function ipxeOf(client: BootClient): BootClient {
  return { ...client, name: isUefi(client) ? 'ipxe-efi' : 'ipxe-bios', isIpxe: true, ...pxeClass(client) };
}

/** iPXE says PXEClient also where its firmware came by HTTP. */
function pxeClass({ architecture = 0 }: BootClient): { readonly vendorClass: string } {
  return { vendorClass: `PXEClient:Arch:${String(architecture).padStart(5, '0')}:UNDI:003010` };
}

/** As iPXE's `${platform}` says it. */
export function platformOf(client: BootClient): 'efi' | 'pcbios' {
  return isUefi(client) ? 'efi' : 'pcbios';
}

/** 0 and 20 are BIOS by PXE and by HTTP. */
function isUefi({ architecture }: BootClient): boolean {
  return architecture !== undefined && architecture !== 0 && architecture !== 20;
}

const PARAMETERS = [1, 3, 6, 12, 15, 26, 28, 43, 54, 60, 66, 67, 97, 175];
const MESSAGE_SIZE = 1472;
/** A machine's UUID that says who asks, should it be seen in a log: nobody's. */
const ZERO_GUID = new Uint8Array(17);

/** Options of a request of this client, after 53. */
export function requestOptions(client: BootClient): (readonly [number, Uint8Array])[] {
  const options: (readonly [number, Uint8Array])[] = [
    [OPTION.maximumMessageSize, u16Option(MESSAGE_SIZE)],
    [OPTION.parameterRequestList, Uint8Array.from(PARAMETERS)],
  ];
  if (client.architecture !== undefined) {
    options.push([OPTION.clientSystemArchitecture, u16Option(client.architecture)]);
    options.push([OPTION.clientNetworkInterface, Uint8Array.of(1, 3, 0)]);
    options.push([OPTION.clientMachineIdentifier, ZERO_GUID]);
  }
  if (client.vendorClass !== undefined) {
    options.push([OPTION.vendorClassIdentifier, textOption(client.vendorClass)]);
  }
  if (client.isIpxe) {
    options.push([OPTION.userClass, textOption('iPXE')]);
    const on = Uint8Array.of(1);
    const features = [IPXE_SUBOPTION.http, IPXE_SUBOPTION.tftp].map((feature) => [feature, on] as const);
    options.push([OPTION.ipxeEncapsulated, subOptions(features)]);
  }
  return options;
}
