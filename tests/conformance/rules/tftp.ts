/** The rules of TFTP: RFC 1350, 2347, 2348, 2349, 7440, RFC 1123 section 4.2.3, and what clients in the field made necessary. */
import type { ConformanceRule } from './rule';

const FOUR = ['curl', 'atftp', 'tftp-hpa', 'busybox'] as const;
const RAW = ['raw packets'] as const;
const RAW_AND_REFERENCE = ['raw packets', 'dnsmasq as reference'] as const;

export const TFTP_RULES: readonly ConformanceRule[] = [
  {
    id: 'TF1',
    rule: 'Each transfer has a server port of its own. A packet from a wrong TID is told so and does not harm the transfer.',
    specification: 'RFC 1350 §4',
    clients: RAW,
    remark:
      'The stranger gets ICMP "port unreachable" from the kernel instead of ERROR 5: transfers run on connected sockets, which also tell at once when a client has gone and leave nothing to reflect.',
  },
  {
    id: 'TF2',
    rule: 'The last block is shorter than blksize; it is empty when the size is a multiple of blksize.',
    specification: 'RFC 1350 §6',
    clients: [...FOUR, ...RAW_AND_REFERENCE],
  },
  {
    id: 'TF3',
    rule: 'The block number goes from 65535 to 0, so that files of any size can be sent.',
    specification: 'practice of all clients; the RFCs are silent',
    clients: ['curl', 'tftp-hpa', 'busybox'],
  },
  {
    id: 'TF4',
    rule: 'A duplicate ACK never causes DATA to be sent again ("Sorcerer\'s Apprentice"); only the own timer does.',
    specification: 'RFC 1123 §4.2.3.1',
    clients: RAW,
  },
  {
    id: 'TF5',
    rule: 'Re-sending backs off and ends after some tries with an ERROR; no transfer is left behind. To a peer that never answered at most three packets go, and no ERROR.',
    specification: 'RFC 1123 §4.2.3.2',
    clients: ['raw packets', ...FOUR],
  },
  {
    id: 'TF6',
    rule: 'Mode and option names are known in any case; octet and netascii are served, mail is refused.',
    specification: 'RFC 1350 §5, RFC 2347 §2, RFC 764',
    clients: RAW_AND_REFERENCE,
  },
  {
    id: 'TF7',
    rule: 'The OACK holds only options that were asked for and understood; without any, DATA 1 comes instead.',
    specification: 'RFC 2347 §3; UEFI clients reject an unasked tsize',
    clients: RAW_AND_REFERENCE,
  },
  {
    id: 'TF8',
    rule: 'After an OACK the server waits for ACK 0 before it sends DATA.',
    specification: 'RFC 2347 §3',
    clients: RAW_AND_REFERENCE,
  },
  {
    id: 'TF9',
    rule: 'blksize is answered with at most what was asked, what the link carries and 65464; less than 8 is ignored.',
    specification: 'RFC 2348 §2',
    clients: RAW,
  },
  {
    id: 'TF10',
    rule: 'tsize 0 is answered with the size of the file.',
    specification: 'RFC 2349 §3',
    clients: RAW_AND_REFERENCE,
  },
  {
    id: 'TF11',
    rule: 'The size of an empty file is not announced.',
    specification: 'curl 7.88 fails with code 71 on tsize=0 in an OACK',
    clients: ['raw packets', ...FOUR],
    remark: 'RFC 2349 would allow tsize=0.',
  },
  {
    id: 'TF12',
    rule: 'timeout from 1 to 255 is echoed and used; anything else is ignored.',
    specification: 'RFC 2349 §2',
    clients: RAW,
  },
  {
    id: 'TF13',
    rule: 'windowsize from 1 to 65535 is accepted, cut to the own limit and echoed; an ACK inside the window goes back to the gap.',
    specification: 'RFC 7440 §3, §4',
    clients: ['atftp', 'raw packets'],
  },
  {
    id: 'TF14',
    rule: 'A client that asks for tsize, aborts the OACK with ERROR 8 and comes again without it is served; the abort is no failure.',
    specification: 'EDK2 (MTFTP4 of UEFI)',
    clients: RAW,
  },
  {
    id: 'TF15',
    rule: 'Any ERROR ends the transfer at once: after DATA, without text, without NUL.',
    specification: 'RFC 1350 §7',
    clients: RAW,
  },
  {
    id: 'TF16',
    rule: 'A repeated request from the same port starts no second transfer.',
    specification: 'RFC 1350 §4; slow firmware repeats',
    clients: RAW,
  },
  {
    id: 'TF17',
    rule: 'The same request from the same port starts a fresh transfer when the first one is over.',
    specification: 'firmware that always uses one port',
    clients: RAW_AND_REFERENCE,
  },
  {
    id: 'TF18',
    rule: 'A write is refused with ERROR 2 or 4 and leaves no state.',
    specification: 'RFC 1350 §5',
    clients: ['tftp-hpa', ...RAW_AND_REFERENCE],
  },
  {
    id: 'TF19',
    rule: 'Names are keys of a table: `\\`, leading and double slashes and `./` are normalised, `..` is refused, and what is asked in capitals is also looked for in lower case.',
    specification: 'RFC 1350 §5; DOS-minded loaders',
    clients: RAW,
  },
  {
    id: 'TF20',
    rule: 'A missing file is one ERROR 1 at once, in at most 64 characters of ASCII.',
    specification: 'RFC 1350 §5; GRUB and PXELINUX probe many names',
    clients: [...FOUR, ...RAW_AND_REFERENCE],
  },
  {
    id: 'TF21',
    rule: 'Requests without the final NUL, with 30 options or with a name without value are read as far as they make sense; without a mode, or over 2 KiB, they are refused.',
    specification: 'RFC 1350 §5, RFC 2347 §2',
    clients: RAW,
  },
  {
    id: 'TF22',
    rule: 'Under loss, duplication and reordering the copy is the file, or the client says that it failed.',
    specification: 'RFC 1350 §2',
    clients: FOUR,
  },
  {
    id: 'TF23',
    rule: '500 transfers at once are all correct, with bounded memory and nobody starved.',
    specification: 'a rack that is powered on',
    clients: ['own client'],
  },
  {
    id: 'TF24',
    rule: 'DATA comes from the address that the request was sent to.',
    specification: 'RFC 1123 §4.2.3.5',
    clients: RAW,
  },
  {
    id: 'TF25',
    rule: 'A file that is replaced during a transfer is sent in its old content to the end.',
    specification: 'atomic publication',
    clients: RAW,
  },
  {
    id: 'TF26',
    rule: 'No IPv4 fragment is ever produced, whatever blksize is asked.',
    specification: 'RFC 2348 §3; firmware that cannot reassemble',
    clients: ['curl', 'packet capture'],
  },
];
