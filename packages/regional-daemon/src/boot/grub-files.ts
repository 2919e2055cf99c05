/**
 * The signed loaders of the Secure Boot chain: shim, which firmware verifies by Microsoft's key, and the GRUB that shim verifies. Read and
 * checked when the daemon starts, because a firmware that refuses a loader says nothing on the network.
 * What the GRUB can is read from the file itself: Debian 12's loads by TFTP only, Debian 13's by HTTP as well.
 * That the signatures are good is for the machine to verify; here only that there are some.
 */
import { readFile } from 'node:fs/promises';
import { LpmosError } from '@lpmos/core';
import type { FieldProblem } from '@lpmos/core';
import { grubModules } from '@lpmos/netboot';
import { loaderKindProblem } from './loader-kind';

export const UEFI_CHAINS = ['ipxe', 'grub'] as const;
/** What an x86-64 machine with UEFI is given. Firmware does not say whether Secure Boot is on, so the site chooses. */
export type UefiChain = (typeof UEFI_CHAINS)[number];

export const SHIM_NAME = 'shimx64.efi';
/** shim asks for this very name beside its own. */
export const GRUB_NAME = 'grubx64.efi';

/** How kernel and initramfs travel: by TFTP, or by HTTP where the site's GRUB can. */
export type GrubTransfer = 'tftp' | 'http';

export interface GrubFiles {
  readonly shim: Uint8Array;
  readonly grub: Uint8Array;
  readonly transfer: GrubTransfer;
}

/** What the scripts of netboot's grub folder use, by the module that has the command. */
const NEEDED_MODULES = [
  ...['normal', 'configfile', 'echo', 'test', 'sleep', 'linux', 'chain', 'search', 'search_fs_file'],
  ...['reboot', 'part_gpt', 'fat', 'tftp'],
];

/** @throws LpmosError `invalid_argument` with every problem of both files */
export async function readGrubFiles(paths: {
  readonly shim: string;
  readonly grub: string;
}): Promise<GrubFiles> {
  const shim = await readSigned('shim_file', paths.shim, 'shim-signed');
  const grub = await readSigned('grub_file', paths.grub, 'grub-efi-amd64-signed');
  const wrong = [shim, grub].flatMap((file) => ('problem' in file ? [file.problem] : []));
  if ('problem' in shim || 'problem' in grub) throw refused(wrong);
  const modules = grubModules(grub.bytes);
  const missing = NEEDED_MODULES.filter((name) => !modules.has(name));
  if (missing.length > 0) {
    const problem = `${paths.grub} has no ${missing.join(', ')} built in; take a GRUB made for the network, such as Debian's grubnetx64.efi.signed`;
    throw refused([{ path: 'grub_file', problem }]);
  }
  return { shim: shim.bytes, grub: grub.bytes, transfer: modules.has('http') ? 'http' : 'tftp' };
}

async function readSigned(
  path: string,
  file: string,
  debianPackage: string,
): Promise<{ readonly bytes: Uint8Array } | { readonly problem: FieldProblem }> {
  const problem = (text: string): { readonly problem: FieldProblem } => ({
    problem: { path, problem: `${file} ${text}` },
  });
  try {
    const bytes = await readFile(file);
    const kind = loaderKindProblem('x64', bytes);
    if (kind !== undefined) return problem(kind);
    if (!isSigned(bytes)) {
      return problem(
        `is not signed, so Secure Boot refuses it; take the file of the Debian package ${debianPackage}`,
      );
    }
    return { bytes };
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code !== 'ENOENT') return problem(`cannot be read: ${message}`);
    return problem(`does not exist; install the Debian package ${debianPackage} or name another file`);
  }
}

/** Where PE32+ has the size of the certificate table, from the PE header: entry 4 of the data directories (Microsoft PE/COFF). */
const CERTIFICATES_SIZE = 24 + 112 + 4 * 8 + 4;

/** @param program whole, as loaderKindProblem found it. */
function isSigned(program: Uint8Array): boolean {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const at = view.getUint32(0x3c, true) + CERTIFICATES_SIZE;
  return at + 4 <= view.byteLength && view.getUint32(at, true) > 0;
}

function refused(fields: readonly FieldProblem[]): LpmosError {
  const told = fields.map(({ path, problem }) => `${path}: ${problem}`).join('; ');
  return new LpmosError({ code: 'invalid_argument', message: `LPMOS_UEFI_CHAIN=grub: ${told}`, fields });
}
