/**
 * Which kernel modules the ramdisk carries, as data with reasons, and the closure over their dependencies. Pure.
 * The generic Debian kernel has some 4 000 modules (391 MB); a boot agent needs the network cards and disk
 * controllers of servers and the file systems of an installed root.
 * Not here: drivers that start only with a firmware file (bnx2, bnx2x, qede). Debian's main archive has no such files,
 * so those modules would be two megabytes that cannot work; they come back together with their firmware.
 */
export interface ModuleGroup {
  /** The installed image takes `disk` and `file-system` into its own initramfs, and no more. */
  readonly kind: 'network' | 'disk' | 'file-system' | 'platform';
  readonly reason: string;
  readonly names: readonly string[];
}

export const RAMDISK_MODULES: readonly ModuleGroup[] = [
  { kind: 'platform', reason: 'virtual PCI of QEMU/KVM', names: ['virtio_pci'] },
  {
    kind: 'network',
    reason: 'virtual cards: QEMU/KVM, VMware, Hyper-V',
    names: ['virtio_net', 'vmxnet3', 'hv_netvsc'],
  },
  { kind: 'network', reason: 'Intel, 1 Gbit/s', names: ['e1000', 'e1000e', 'igb', 'igc'] },
  { kind: 'network', reason: 'Intel, 10 to 100 Gbit/s', names: ['ixgbe', 'i40e', 'ice'] },
  { kind: 'network', reason: 'Intel virtual functions', names: ['igbvf', 'ixgbevf', 'iavf'] },
  { kind: 'network', reason: 'Broadcom: on-board ports of Dell, HPE and Lenovo', names: ['tg3', 'bnxt_en'] },
  { kind: 'network', reason: 'Mellanox / NVIDIA ConnectX', names: ['mlx4_en', 'mlx5_core'] },
  { kind: 'network', reason: 'Marvell / Aquantia on workstation boards', names: ['atlantic'] },
  {
    kind: 'network',
    reason: 'Emulex, Cisco UCS, Chelsio, Solarflare',
    names: ['be2net', 'enic', 'cxgb4', 'sfc'],
  },
  { kind: 'network', reason: 'Amazon, Google and AMD hosts', names: ['ena', 'gve', 'amd-xgbe'] },
  {
    kind: 'network',
    reason: 'Realtek on desktop boards and in older labs',
    names: ['r8169', '8139cp', '8139too'],
  },
  {
    kind: 'network',
    reason: 'PHY drivers that the cards above load by name',
    names: ['realtek', 'broadcom'],
  },
  { kind: 'disk', reason: 'virtual disks', names: ['virtio_blk', 'virtio_scsi', 'vmw_pvscsi', 'hv_storvsc'] },
  { kind: 'disk', reason: 'SATA and NVMe', names: ['ahci', 'ata_piix', 'ata_generic', 'nvme', 'vmd'] },
  { kind: 'disk', reason: 'Broadcom / LSI and Dell PERC', names: ['megaraid_sas', 'mpt3sas', 'mpi3mr'] },
  { kind: 'disk', reason: 'HPE Smart Array, Adaptec / Microchip', names: ['hpsa', 'smartpqi', 'aacraid'] },
  {
    kind: 'disk',
    reason: 'SCSI disks behind the controllers, and raw commands to them',
    names: ['sd_mod', 'sg'],
  },
  { kind: 'file-system', reason: 'the installed root', names: ['ext4'] },
  {
    kind: 'file-system',
    reason: 'crc32c of ext4 metadata, generic and by SSE4.2',
    names: ['crc32c_generic', 'crc32c-intel'],
  },
  {
    kind: 'platform',
    reason: 'the EFI system partition',
    names: ['vfat', 'nls_cp437', 'nls_ascii', 'nls_utf8'],
  },
  { kind: 'platform', reason: 'boot order and Secure Boot state on UEFI machines', names: ['efivarfs'] },
  {
    kind: 'platform',
    reason: 'reading the BMC over its local interface',
    names: ['ipmi_si', 'ipmi_devintf'],
  },
  { kind: 'platform', reason: 'entropy in virtual machines, for TLS keys', names: ['virtio-rng'] },
];

/** Names of the modules of the given kinds, in the order of the table. */
export function moduleNames(...kinds: ModuleGroup['kind'][]): string[] {
  return RAMDISK_MODULES.filter((group) => kinds.includes(group.kind)).flatMap((group) => group.names);
}

/** Modules spell - and _ as they like; the kernel treats them as the same. */
export function canonicalName(name: string): string {
  return name.replaceAll('-', '_');
}

function nameOfPath(path: string): string {
  return canonicalName(path.slice(path.lastIndexOf('/') + 1).replace(/\.ko(\.\w+)?$/, ''));
}

/** modules.dep as a map from module name to its path and the paths it needs. */
export function parseModulesDep(text: string): Map<string, { path: string; needs: string[] }> {
  const modules = new Map<string, { path: string; needs: string[] }>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const path = line.slice(0, colon);
    const needs = line
      .slice(colon + 1)
      .split(' ')
      .filter((need) => need !== '');
    modules.set(nameOfPath(path), { path, needs });
  }
  return modules;
}

/**
 * Paths of the wanted modules and of all they need, sorted. `builtin` is modules.builtin: a wanted module that is built
 * into the kernel needs no file. A name that is neither is an error: a renamed driver must not vanish unnoticed.
 */
export function selectModules(wanted: readonly string[], modulesDep: string, builtin: string): string[] {
  const modules = parseModulesDep(modulesDep);
  const builtinNames = new Set(builtin.split('\n').map(nameOfPath));
  const paths = new Set<string>();
  const missing: string[] = [];
  for (const name of wanted) {
    const found = modules.get(canonicalName(name));
    if (found !== undefined) [found.path, ...found.needs].forEach((path) => paths.add(path));
    else if (!builtinNames.has(canonicalName(name))) missing.push(name);
  }
  if (missing.length > 0)
    throw new Error(`this kernel has no module ${missing.join(', ')}: correct the module list`);
  return [...paths].sort();
}
