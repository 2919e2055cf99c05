/**
 * The firmwares that a lab machine can have, as data: which QEMU machine, which flash images, whether the network card brings
 * its own boot ROM, and what the firmware is told by fw_cfg. machine-arguments.ts turns a row into arguments.
 * A row is one way from power-on to the first DHCPDISCOVER; who answers is not its business.
 */

export interface FirmwareKind {
  /** QEMU of another processor, with the model to emulate; x86-64 when absent. */
  readonly emulator?: { readonly program: string; readonly cpu: string };
  readonly machine: string;
  /** Read-only code and the template of the variables; absent for BIOS, which QEMU brings along. */
  readonly flash?: { readonly code: string; readonly variables: string };
  /** The card's iPXE option ROM. Without it UEFI uses its own PXE or HTTP client, and BIOS has none at all. */
  readonly optionRom: boolean;
  readonly settings: readonly string[];
}

const FOLDER = '/usr/share/OVMF';
/** graphics=off moves SeaBIOS and iPXE from the VGA screen to the serial console. */
const PC = 'pc,graphics=off';
const PLAIN_FLASH = { code: `${FOLDER}/OVMF_CODE_4M.fd`, variables: `${FOLDER}/OVMF_VARS_4M.fd` };
// Firmware tries PXE over IPv6 for a minute before it goes on to its next entry; the lab has IPv4 services only.
const NO_IPV6_PXE = 'name=opt/org.tianocore/IPv6PXESupport,string=n';
const NO_IPV4_PXE = 'name=opt/org.tianocore/IPv4PXESupport,string=n';

export const FIRMWARE = {
  /** SeaBIOS, whose only network boot is the iPXE in the card. */
  bios: { machine: PC, optionRom: true, settings: [] },
  /** EDK2 with its own PXE client; it has a driver for virtio only. */
  uefi: { machine: PC, flash: PLAIN_FLASH, optionRom: false, settings: [NO_IPV6_PXE] },
  /** EDK2 that runs the iPXE in the card; the way to boot from e1000 and e1000e. */
  'uefi-rom': { machine: PC, flash: PLAIN_FLASH, optionRom: true, settings: [NO_IPV6_PXE] },
  /** EDK2 with PXE switched off in its setup, so that UEFI HTTP boot comes first. */
  'uefi-http': { machine: PC, flash: PLAIN_FLASH, optionRom: false, settings: [NO_IPV6_PXE, NO_IPV4_PXE] },
  /** EDK2 with Microsoft's keys enrolled and Secure Boot on; the variables are protected by system management mode. */
  'uefi-secure': {
    machine: 'q35,smm=on,graphics=off',
    flash: { code: `${FOLDER}/OVMF_CODE_4M.secboot.fd`, variables: `${FOLDER}/OVMF_VARS_4M.ms.fd` },
    optionRom: false,
    settings: [NO_IPV6_PXE],
  },
  /** EDK2 of a 64-bit ARM server; always emulated. Debian: qemu-system-arm and qemu-efi-aarch64. */
  arm64: {
    emulator: { program: 'qemu-system-aarch64', cpu: 'cortex-a57' },
    machine: 'virt',
    flash: { code: '/usr/share/AAVMF/AAVMF_CODE.fd', variables: '/usr/share/AAVMF/AAVMF_VARS.fd' },
    optionRom: false,
    settings: [NO_IPV6_PXE],
  },
} as const satisfies Readonly<Record<string, FirmwareKind>>;

export type MachineFirmware = keyof typeof FIRMWARE;

export function firmwareKind(firmware: MachineFirmware): FirmwareKind {
  return FIRMWARE[firmware];
}
