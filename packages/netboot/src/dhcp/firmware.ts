/**
 * What a number in option 93 says about a machine: how its firmware talks and which loader it can run.
 * Data: RFC 4578 section 2.1 with the IANA registry "Processor Architecture Types" and errata. A type that is not here is
 * unknown and gets no loader: the wrong one is an endless boot loop (xcat#7645, opnsense#2223, netboot#142).
 */

export type Firmware = 'bios' | 'uefi';
/** The loaders that a link can offer. */
export const LOADER_KEYS = ['bios', 'ia32', 'x64', 'arm64'] as const;
export type LoaderKey = (typeof LOADER_KEYS)[number];

export interface ArchitectureType {
  readonly type: number;
  readonly firmware: Firmware;
  readonly architecture: string;
  /** Absent for machines that LPMOS knows by name and has no loader for. */
  readonly loader?: LoaderKey;
}

const ROWS: readonly ArchitectureType[] = [
  { type: 0, firmware: 'bios', architecture: 'x86', loader: 'bios' },
  { type: 6, firmware: 'uefi', architecture: 'IA32', loader: 'ia32' },
  // RFC 4578 says 7 is EFI byte code and 9 is x86-64; its erratum and every firmware since have 7 for x86-64.
  { type: 7, firmware: 'uefi', architecture: 'x86-64', loader: 'x64' },
  { type: 9, firmware: 'uefi', architecture: 'x86-64', loader: 'x64' },
  { type: 10, firmware: 'uefi', architecture: 'ARM 32-bit' },
  { type: 11, firmware: 'uefi', architecture: 'ARM64', loader: 'arm64' },
  { type: 15, firmware: 'uefi', architecture: 'IA32', loader: 'ia32' },
  { type: 16, firmware: 'uefi', architecture: 'x86-64', loader: 'x64' },
  { type: 18, firmware: 'uefi', architecture: 'ARM 32-bit' },
  { type: 19, firmware: 'uefi', architecture: 'ARM64', loader: 'arm64' },
  { type: 20, firmware: 'bios', architecture: 'x86', loader: 'bios' },
  { type: 25, firmware: 'uefi', architecture: 'RISC-V 32-bit' },
  { type: 26, firmware: 'uefi', architecture: 'RISC-V 32-bit' },
  { type: 27, firmware: 'uefi', architecture: 'RISC-V 64-bit' },
  { type: 28, firmware: 'uefi', architecture: 'RISC-V 64-bit' },
];

const BY_TYPE = new Map(ROWS.map((row) => [row.type, row]));

export function architectureType(type: number): ArchitectureType | undefined {
  return BY_TYPE.get(type);
}
