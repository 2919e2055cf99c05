/**
 * How the agent ends, for the /init of the ramdisk and for people. 0 means that a reboot was asked for; anything else means that
 * nothing was done to this machine, and /init starts the agent again a few times before it reboots to ask the network anew.
 */
import type { FieldProblem } from '@lpmos/core';

export const EXIT = {
  /** A reboot was asked for; the kernel may need some seconds for it. */
  rebooting: 0,
  /** A fault of the agent itself; the console shows it. */
  crash: 1,
  /** The command line of the program or of the kernel, or a site file, is wrong. */
  config: 2,
  /** The hardware could not be described. */
  hardware: 3,
} as const;

export const USAGE = [
  'lpmos-boot-agent [--help | --version]',
  '',
  'Runs inside the LPMOS ramdisk: reports hardware, waits for approval, installs on a signed grant.',
  'It is configured by the kernel command line (lpmos.region, lpmos.agent, lpmos.task, lpmos.ticket, lpmos.mac)',
  'and by the files ca.pem, grant.pem and site.json below /lpmos/site.',
  '',
  'exit codes: 0 a reboot was asked for, 1 crash, 2 wrong configuration, 3 hardware not readable',
];

export function configFailure(problems: readonly FieldProblem[]): string[] {
  return [
    'The LPMOS boot agent cannot start; its configuration has these problems:',
    ...problems.map(({ path, problem }) => `  ${path}: ${problem}`),
    'It expects to run in the LPMOS ramdisk, booted from a regional daemon. If this machine was: check the boot',
    'script of the region, and that the initramfs of the site is appended. Nothing was changed on this machine.',
  ];
}

export function hardwareFailure(reason: string): string[] {
  return [
    `The LPMOS boot agent cannot describe this machine: ${reason}`,
    'Nothing was changed on this machine.',
  ];
}
