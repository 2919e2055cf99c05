/** All conformance rules, in the order of the page that is made from them. */
import { DHCP_RULES } from './dhcp';
import { HTTP_RULES } from './http';
import { IPXE_RULES } from './ipxe';
import type { ConformanceRule } from './rule';
import { TFTP_RULES } from './tftp';

export interface RuleChapter {
  readonly title: string;
  readonly rules: readonly ConformanceRule[];
}

const dhcp = (letters: string): readonly ConformanceRule[] =>
  DHCP_RULES.filter(({ id }) => id.replace(/\d+$/, '') === letters);

export const RULE_CHAPTERS: readonly RuleChapter[] = [
  { title: 'DHCP', rules: dhcp('D') },
  { title: 'DHCP relays and authentication', rules: dhcp('RL') },
  { title: 'PXE options', rules: dhcp('P') },
  { title: 'proxyDHCP and port 4011', rules: dhcp('X') },
  { title: 'iPXE', rules: IPXE_RULES },
  { title: 'TFTP', rules: TFTP_RULES },
  { title: 'HTTP boot and files', rules: HTTP_RULES },
];
