/**
 * Who the machine is: SMBIOS facts joined with /sys/class/dmi/id where the raw table is not readable, firmware kind and
 * Secure Boot. Parsing of the table is smbios.ts.
 * Invariant: the UUID is a UUID or empty; texts are raw here and cleaned once for the whole report.
 */
import type { HardwareReport } from '@lpmos/core';
import type { HostReader } from '../host-reader';
import { parseSmbiosStructures, smbiosFacts } from './smbios';
import type { SmbiosFacts } from './smbios';

const DMI_TABLE = '/sys/firmware/dmi/tables/DMI';
/** Tables of large servers are some 20 KB. */
const LARGEST_TABLE_BYTES = 1024 * 1024;
const DMI_ID = '/sys/class/dmi/id';
const EFI = '/sys/firmware/efi';
/** EFI_GLOBAL_VARIABLE; the file holds four bytes of attributes, then the value. */
const SECURE_BOOT = `${EFI}/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c`;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export async function readSmbios(reader: HostReader): Promise<SmbiosFacts> {
  const table = await reader.readBytes(DMI_TABLE, 0, LARGEST_TABLE_BYTES);
  const facts = smbiosFacts(parseSmbiosStructures(table ?? new Uint8Array(0)));
  const id = async (found: string, name: string): Promise<string> =>
    found === '' ? ((await reader.readFile(`${DMI_ID}/${name}`)) ?? '') : found;
  return {
    ...facts,
    biosVendor: await id(facts.biosVendor, 'bios_vendor'),
    biosVersion: await id(facts.biosVersion, 'bios_version'),
    manufacturer: await id(facts.manufacturer, 'sys_vendor'),
    product: await id(facts.product, 'product_name'),
    serial: await id(facts.serial, 'product_serial'),
    uuid: await id(facts.uuid, 'product_uuid'),
    boardSerial: await id(facts.boardSerial, 'board_serial'),
    assetTag: await id(facts.assetTag, 'chassis_asset_tag'),
  };
}

export async function probeSystem(
  reader: HostReader,
  smbios: SmbiosFacts,
): Promise<HardwareReport['system']> {
  const uefi = await reader.exists(EFI);
  const secureBoot = uefi ? await reader.readBytes(SECURE_BOOT, 0, 5) : undefined;
  const uuid = smbios.uuid.toLowerCase();
  return {
    manufacturer: smbios.manufacturer,
    product: smbios.product,
    uuid: UUID.test(uuid) ? uuid : '',
    // White-box boards carry their serial on the chassis only.
    service_tag: smbios.serial || smbios.chassisSerial,
    asset_tag: smbios.assetTag,
    firmware: uefi ? 'uefi' : 'bios',
    secure_boot: secureBoot?.[4] === 1,
  };
}

export function biosOf(smbios: SmbiosFacts): HardwareReport['bios'] {
  return { vendor: smbios.biosVendor, version: smbios.biosVersion, serial: smbios.boardSerial };
}
