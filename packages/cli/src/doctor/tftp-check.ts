/**
 * TFTP from the side of a firmware: what a try showed and what the tries together mean. Pure; tftp-client.ts sends.
 * A server answers a read from a new port (RFC 1350 section 4) and refuses an unknown name from its own: so silence on a read, with a
 * refusal heard, is a firewall that does not follow TFTP.
 */
import { bad, info, ok, warning } from './findings';
import type { Finding } from './findings';

export interface TftpTry {
  readonly file: string;
  readonly blksize: number;
  /** `options`: agreed, and the first block came; `no-data`: agreed, then nothing. */
  readonly end: 'options' | 'plain-data' | 'no-data' | 'refused' | 'silence' | 'closed';
  /** Options as the server granted them. */
  readonly granted?: Readonly<Record<string, string>>;
  readonly detail?: string;
}

/** What OVMF asks for; 1468 bytes of data fill an Ethernet frame. */
export const FULL_BLOCK = 1468;
export const SMALLER_BLOCKS = [1024, 512] as const;
/** IP, UDP and TFTP headers. */
const OVERHEAD = 32;

export interface TftpFacts {
  /** A read of the advertised loader in full blocks. */
  readonly full: TftpTry;
  /** The same in smaller blocks, where the full ones did not come. */
  readonly smaller: readonly TftpTry[];
  /** A read of a name that no server has. */
  readonly unknownName: TftpTry;
}

export function tftpFindings({ full, smaller, unknownName }: TftpFacts): Finding[] {
  const heard = unknownName.end === 'refused';
  switch (full.end) {
    case 'options':
      return [optionsFinding(full), ok('mtu', `packets of ${FULL_BLOCK + OVERHEAD} bytes arrive`)];
    case 'plain-data':
      return [
        warning(
          'tftp options',
          `${full.file} comes without options, in blocks of 512`,
          'see what answers on UDP 69: a region grants blksize, tsize and windowsize',
        ),
      ];
    case 'no-data':
      return [optionsFinding(full), mtuFinding(smaller)];
    case 'refused':
      return [
        bad(
          'tftp',
          `the region does not have ${full.file}, which DHCP names: ${full.detail ?? 'refused'}`,
          'see who answered DHCP, and which loaders the region has (`lpmos region show`)',
        ),
      ];
    case 'closed':
      return [
        bad(
          'tftp',
          'nobody listens on UDP 69 of the region',
          'see /health of the region, and the log of its daemon',
        ),
      ];
    case 'silence':
      return [silence(full.file, heard)];
  }
}

function silence(file: string, heard: boolean): Finding {
  if (heard) {
    return bad(
      'tftp data ports',
      `the region hears UDP 69, and ${file} never comes: its data ports are blocked`,
      'let UDP from any port above 1023 of the region pass to the machines, or load a connection-tracking helper for TFTP',
    );
  }
  return bad(
    'tftp',
    'no answer from UDP 69 of the region',
    'let UDP 69 pass; a region also keeps silent to hosts without a lease of its own: let this host get its address by DHCP from it',
  );
}

function optionsFinding({ granted = {}, file }: TftpTry): Finding {
  const said = Object.entries(granted).map(([name, value]) => `${name}=${value}`);
  const missing = ['blksize', 'tsize', 'windowsize'].filter((name) => granted[name] === undefined);
  const text = `${file}: ${said.join(', ') || 'no option'} granted`;
  if (missing.length === 0) return ok('tftp options', text);
  return warning(
    'tftp options',
    `${text}, not ${missing.join(', ')}`,
    'see what answers on UDP 69: a region grants all three',
  );
}

function mtuFinding(smaller: readonly TftpTry[]): Finding {
  const passing = smaller.find(({ end }) => end === 'options');
  if (passing === undefined) {
    return bad(
      'mtu',
      'options are agreed and no data comes in any size',
      'see firewalls between the region and this network: they drop what follows the first packet',
    );
  }
  return bad(
    'mtu',
    `packets of ${FULL_BLOCK + OVERHEAD} bytes do not arrive, those of ${passing.blksize + OVERHEAD} do`,
    'raise the MTU of the path to 1500 everywhere (tunnels, overlays, switch ports); firmware asks for full frames and does not try smaller ones',
  );
}

/** Without an advertised loader there is nothing to read. */
export function tftpUntried(unknownName: TftpTry): Finding {
  if (unknownName.end === 'refused')
    return info('tftp', 'UDP 69 of the region answers; no loader was named by DHCP, so none was read');
  return tftpFindings({ full: unknownName, smaller: [], unknownName })[0] ?? info('tftp', 'not tried');
}
