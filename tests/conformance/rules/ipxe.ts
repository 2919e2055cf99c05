/** The rules of iPXE: how it is known, what it is told, and what a script must be. */
import type { ConformanceRule } from './rule';

const RAW = ['raw packets'] as const;
const SCRIPT = ['script interpreter'] as const;

export const IPXE_RULES: readonly ConformanceRule[] = [
  {
    id: 'IP1',
    rule: 'iPXE is known by user class `iPXE`, bare or behind a length, or by option 175, and gets the script: never itself again.',
    specification: 'RFC 3004; iPXE sends option 77 without a length',
    clients: RAW,
  },
  {
    id: 'IP2',
    rule: 'Features are read from option 175: an https URL goes only to an iPXE that has HTTPS.',
    specification: 'iPXE option 175, sub-option 20',
    clients: RAW,
  },
  {
    id: 'IP3',
    rule: 'Answers carry 175 = `b0 01 01` (no-pxedhcp), so that iPXE does not wait for a proxy.',
    specification: 'iPXE option 175, sub-option 176',
    clients: RAW,
  },
  {
    id: 'IP4',
    rule: 'A script is plain text of less than 64 KiB from `#!ipxe` to a final newline; every command that fetches has a fail path, which waits, asks again at most N times and ends at the disk.',
    specification: 'iPXE scripting',
    clients: SCRIPT,
  },
  {
    id: 'IP5',
    rule: 'Machines that wait do not ask again in step: the coefficient of variation of their waits is over 0.3.',
    specification: 'thundering herd',
    clients: ['regional daemon'],
  },
  {
    id: 'IP6',
    rule: 'What a machine says of itself in the query is capped, and nothing of it can become a command.',
    specification: 'iPXE expands a line before it splits it',
    clients: ['raw requests'],
  },
  {
    id: 'IP7',
    rule: 'Every URL in a script names the region by the address that the client sees, not by a host name.',
    specification: 'machines without DNS',
    clients: ['regional daemon'],
  },
  {
    id: 'IP8',
    rule: 'Leaving for the disk is `sanboot --no-describe --drive 0x80` on BIOS and a failing `exit` on UEFI.',
    specification: 'OVMF ends in its setup menu on `exit 0`',
    clients: SCRIPT,
  },
  {
    id: 'IP9',
    rule: 'After a NAK the client is offered an address again; each wrong request gets one NAK and no more.',
    specification: 'RFC 2131 §3.1',
    clients: RAW,
  },
];
