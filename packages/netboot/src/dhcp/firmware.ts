/**
 * What a number in option 93 says about a machine: how its firmware talks and which loader it can run.
 * Data: the IANA registry "Processor Architecture Types" with RFC 4578 section 2.1, its errata and RFC 5970. A type that is
 * not here is unknown and gets no loader: the wrong one is an endless boot loop (xcat#7645, opnsense#2223, netboot#142).
 * Which loader file a key names is a site's configuration; boot-data.ts joins the two.
 */

export type Firmware = 'bios' | 'uefi';
/** What a loader file is made for; a site names one file for each. */
export const LOADER_KEYS = [
  'bios',
  'ia32',
  'x64',
  'arm32',
  'arm64',
  'riscv32',
  'riscv64',
  'riscv128',
  'loong64',
] as const;
export type LoaderKey = (typeof LOADER_KEYS)[number];

export interface ArchitectureType {
  readonly type: number;
  readonly firmware: Firmware;
  readonly architecture: string;
  readonly loader: LoaderKey;
}

const ROWS: readonly ArchitectureType[] = [
  { type: 0, firmware: 'bios', architecture: 'x86', loader: 'bios' },
  { type: 6, firmware: 'uefi', architecture: 'IA32', loader: 'ia32' },
  // RFC 4578 says 7 is EFI byte code and 9 is x86-64; its erratum and every firmware since have 7 for x86-64.
  { type: 7, firmware: 'uefi', architecture: 'x86-64', loader: 'x64' },
  { type: 9, firmware: 'uefi', architecture: 'x86-64', loader: 'x64' },
  { type: 10, firmware: 'uefi', architecture: 'ARM 32-bit', loader: 'arm32' },
  { type: 11, firmware: 'uefi', architecture: 'ARM64', loader: 'arm64' },
  // From 15 on most types come in pairs: the firmware's PXE, and the same firmware booting from HTTP.
  { type: 15, firmware: 'uefi', architecture: 'IA32', loader: 'ia32' },
  { type: 16, firmware: 'uefi', architecture: 'x86-64', loader: 'x64' },
  // 17 (EFI byte code) is left out: unlike 9, no firmware is known to say it and mean x86-64.
  { type: 18, firmware: 'uefi', architecture: 'ARM 32-bit', loader: 'arm32' },
  { type: 19, firmware: 'uefi', architecture: 'ARM64', loader: 'arm64' },
  { type: 20, firmware: 'bios', architecture: 'x86', loader: 'bios' },
  { type: 25, firmware: 'uefi', architecture: 'RISC-V 32-bit', loader: 'riscv32' },
  { type: 26, firmware: 'uefi', architecture: 'RISC-V 32-bit', loader: 'riscv32' },
  { type: 27, firmware: 'uefi', architecture: 'RISC-V 64-bit', loader: 'riscv64' },
  { type: 28, firmware: 'uefi', architecture: 'RISC-V 64-bit', loader: 'riscv64' },
  { type: 29, firmware: 'uefi', architecture: 'RISC-V 128-bit', loader: 'riscv128' },
  { type: 30, firmware: 'uefi', architecture: 'RISC-V 128-bit', loader: 'riscv128' },
  { type: 39, firmware: 'uefi', architecture: 'LoongArch 64-bit', loader: 'loong64' },
  { type: 40, firmware: 'uefi', architecture: 'LoongArch 64-bit', loader: 'loong64' },
];

const BY_TYPE = new Map(ROWS.map((row) => [row.type, row]));

export function architectureType(type: number): ArchitectureType | undefined {
  return BY_TYPE.get(type);
}
