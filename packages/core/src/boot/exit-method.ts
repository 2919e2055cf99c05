/**
 * How a machine leaves the network boot for its disk, as data: by default for each firmware, and per machine by name, because no way works on
 * all. Boot scripts render it (netboot), the task of a machine names it (`boot.exit_method`). Here is only what the words mean.
 * Known: bookworm's ipxe.efi never comes back from `exit`; OVMF goes to its setup menu on a successful one; VMware's EFI stops on a failing
 * one (ipxe#213); others try PXE over IPv6 for minutes first (fogproject#60); Dell's UEFI stops with
 * PXE-E18 at an offer that it cannot boot from (xcat#4830), and EDK2 waits 63 s at one without a boot file.
 */

/** What a script does on one firmware: try a disk by its number, then leave with this status. */
export interface DiskExit {
  /** As the firmware's iPXE numbers disks: 0x80 is the first of BIOS, 0 the first of UEFI. */
  readonly drive?: number;
  readonly status: 0 | 1;
}

export interface ExitWay {
  readonly bios: DiskExit;
  readonly efi: DiskExit;
  /** DHCP names no boot file at all; the firmware goes on by itself, after its time-out. */
  readonly silent: boolean;
}

/**
 * BIOS: `sanboot` needs no particular boot order. UEFI: only a failing exit makes the firmware try its next entry, and iPXE finds no local
 * disk there but in builds from 2024 on.
 */
export const DEFAULT_EXIT: ExitWay = {
  bios: { drive: 0x80, status: 0 },
  efi: { status: 1 },
  silent: false,
};

const EXIT_WAYS = {
  sanboot: { bios: { drive: 0x80, status: 0 }, efi: { drive: 0, status: 1 }, silent: false },
  /** The second disk, where the first is a card reader or a management controller's. */
  'sanboot-second': { bios: { drive: 0x81, status: 0 }, efi: { drive: 1, status: 1 }, silent: false },
  'exit-0': { bios: { status: 0 }, efi: { status: 0 }, silent: false },
  'exit-1': { bios: { status: 1 }, efi: { status: 1 }, silent: false },
  silent: { ...DEFAULT_EXIT, silent: true },
} as const satisfies Readonly<Record<string, ExitWay>>;

export type ExitMethod = keyof typeof EXIT_WAYS;
export const EXIT_METHODS = Object.keys(EXIT_WAYS) as readonly ExitMethod[];

/** @param method absent where the firmware's default is right */
export function exitWay(method: ExitMethod | undefined): ExitWay {
  return method === undefined ? DEFAULT_EXIT : EXIT_WAYS[method];
}

/** Whether the agent puts the installed disk first in the boot order of UEFI. */
export const BOOT_ORDERS = ['disk-first', 'unchanged'] as const;
export type BootOrder = (typeof BOOT_ORDERS)[number];

/** What a task says about the boots of its machine; every field has a default. */
export interface MachineBoot {
  readonly exit_method?: ExitMethod;
  readonly order?: BootOrder;
}
