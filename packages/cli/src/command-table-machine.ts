/** The rows of `lpmos machine`, `lpmos explain` and `lpmos doctor`; see command-table.ts. */
import type { CommandSpec } from './command';

/** Their table is boot/client-table.ts, which would load netboot for every --help; a test compares them. */
const CLIENTS =
  'bios, uefi-x64, uefi-http-x64, arm64, ia32, ipxe-bios, ipxe-efi, os, or arch=7,class=PXEClient:Arch:00007';

export const MACHINE_COMMANDS: readonly CommandSpec[] = [
  {
    noun: 'machine',
    verb: 'boots',
    summary: 'show what a machine asked when it booted, what it was answered and why',
    more: 'Times are local; repeats are one line. Below each region: what the machine would boot now, and what to look at.',
    args: [{ name: 'mac', description: 'MAC address of the machine, any notation' }],
    options: [
      { flags: '--region <id>', description: 'only what this region saw' },
      { flags: '--follow', description: 'go on and show what comes, until Ctrl-C' },
    ],
    examples: [
      'lpmos machine boots 52:54:00:12:34:56',
      'lpmos machine boots 5254.0012.3456 --region dc1 -o json',
    ],
    load: () => import('./commands/machine-boots'),
  },
];

export const NETWORK_COMMANDS: readonly CommandSpec[] = [
  {
    noun: '',
    verb: 'explain',
    summary: 'replay what a machine would be answered: DHCP fields, boot file, script, and the reasons',
    more: 'Runs the functions of the region here, on its published links; nothing is sent to the machine. Tickets are placeholders.',
    args: [],
    options: [
      { flags: '--mac <address>', description: 'MAC address of the machine, any notation' },
      { flags: '--region <id>', description: 'region to ask; guessed when only one can be meant' },
      { flags: '--as-if <client>', description: `who asks: ${CLIENTS}; bios and uefi-x64 if absent` },
      { flags: '--save <file>', description: 'write what the explanation was made from' },
      { flags: '--from <file>', description: 'replay what --save wrote, without any network' },
    ],
    examples: [
      'lpmos explain --mac 52:54:00:12:34:56 --as-if uefi-x64',
      'lpmos explain --mac 52:54:00:12:34:56 --save case.json && lpmos explain --from case.json --as-if ipxe-efi',
    ],
    load: () => import('./commands/explain'),
  },
  {
    noun: '',
    verb: 'doctor',
    summary: 'look at a network from the side of its machines: what is wrong, and what to do',
    more:
      'Run it on a host in the network of the machines, as root (UDP port 68; without it the rest is looked at, with --region-address). It asks for addresses and takes none, reads the start of a loader, ' +
      'and ends within 20 seconds. Needs no control plane and no token.',
    args: [],
    options: [
      {
        flags: '--interface <name>',
        description: 'interface in the network of the machines',
        required: true,
      },
      { flags: '--region-address <address>', description: 'address of the region; found by DHCP if absent' },
      {
        flags: '--mac <address>',
        description: 'ask as this machine, such as one with a task; as this host if absent',
      },
      { flags: '--relay <address>', description: 'ask also as a relay with this address of this host' },
    ],
    examples: [
      'lpmos doctor --interface eth0',
      'lpmos doctor --interface eth1 --region-address 10.77.0.1 -o json',
    ],
    load: () => import('./commands/doctor'),
  },
];
