/**
 * Whether the keys of the site fit each other: machines verify the daemon's certificate with the CA and the name that the daemon itself puts
 * into their initramfs, so a wrong set shows first on the console of a machine, and on all of them. Pure; every problem at once.
 */
import type { X509Certificate } from 'node:crypto';
import {
  certificateProblems,
  etcdTlsProblems,
  keyPairProblems,
  publicKeyProblems,
  readCertificates,
} from '@lpmos/runtime';
import type { KeyFile } from '@lpmos/runtime';
import { REGIONAL_DAEMON_CONFIG } from './config';
import type { RegionalDaemonConfig } from './config';

type SiteKeys = Pick<
  RegionalDaemonConfig,
  'etcdCa' | 'etcdCert' | 'etcdKey' | 'agentCa' | 'agentCert' | 'agentKey' | 'agentTlsName' | 'grantPublicKey'
>;

export function siteKeyProblems(config: SiteKeys): readonly string[] {
  const named = (name: Exclude<keyof SiteKeys, 'agentTlsName'>): KeyFile => ({
    env: REGIONAL_DAEMON_CONFIG[name].env,
    file: config[name],
  });
  return [
    ...etcdTlsProblems({ ca: named('etcdCa'), cert: named('etcdCert'), key: named('etcdKey') }),
    ...certificateProblems(named('agentCa')),
    ...keyPairProblems(named('agentCert'), named('agentKey')),
    ...chainProblems(config),
    ...publicKeyProblems(named('grantPublicKey')),
  ];
}

/** What a machine would say of the certificate. */
function chainProblems({ agentCa, agentCert, agentTlsName }: SiteKeys): readonly string[] {
  const authorities = readCertificates(agentCa.text);
  const [leaf, ...between] = readCertificates(agentCert.text) ?? [];
  if (leaf === undefined) return [];
  const foreign =
    authorities === undefined || leadsTo(leaf, between, authorities)
      ? []
      : [
          `LPMOS_AGENT_CERT_FILE=${agentCert.path}: is not signed by the CA in ${agentCa.path} (LPMOS_AGENT_CA_FILE), which machines trust alone; sign it with that CA, or name the right one`,
        ];
  if (leaf.checkHost(agentTlsName) !== undefined) return foreign;
  return [
    ...foreign,
    `LPMOS_AGENT_TLS_NAME=${agentTlsName}: is no name in the certificate ${agentCert.path}, which has ${leaf.subjectAltName ?? leaf.subject}`,
  ];
}

function leadsTo(
  certificate: X509Certificate,
  between: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  if (authorities.some((authority) => isSignedBy(certificate, authority))) return true;
  return between.some(
    (next) =>
      isSignedBy(certificate, next) &&
      leadsTo(
        next,
        between.filter((each) => each !== next),
        authorities,
      ),
  );
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
