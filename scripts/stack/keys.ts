/**
 * The keys of a site, made with openssl: the region's CA and certificate for agents, the key pair of grants, the key pair of API tokens.
 * For the quickstart and for tests. A production site brings its own CA; the files have the same meaning there.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../run-command';

export interface SiteKeys {
  readonly caFile: string;
  readonly agentCertFile: string;
  readonly agentKeyFile: string;
  readonly grantKeyFile: string;
  readonly grantPublicKeyFile: string;
  readonly tokenKeyFile: string;
  readonly tokenPublicKeyFile: string;
  readonly tlsName: string;
}

/** Ten years: machines in a lab have clocks that nobody sets. */
const DAYS = '3650';

/** Makes what is missing in `dir`; what is there stays. */
export async function makeSiteKeys(options: {
  readonly dir: string;
  readonly regionId: string;
}): Promise<SiteKeys> {
  const { dir } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(dir, name);
  const tlsName = `region.${options.regionId}.lpmos.internal`;
  await keyPair(file('grant-key.pem'), file('grant-public.pem'));
  await keyPair(file('token-key.pem'), file('token-public.pem'));
  await authority(file('ca-key.pem'), file('ca.pem'), options.regionId);
  await certificate({ dir, tlsName });
  return {
    caFile: file('ca.pem'),
    agentCertFile: file('agent.pem'),
    agentKeyFile: file('agent-key.pem'),
    grantKeyFile: file('grant-key.pem'),
    grantPublicKeyFile: file('grant-public.pem'),
    tokenKeyFile: file('token-key.pem'),
    tokenPublicKeyFile: file('token-public.pem'),
    tlsName,
  };
}

async function openssl(...args: string[]): Promise<void> {
  await runCommand('openssl', args, { timeoutMs: 30_000 });
}

async function keyPair(keyFile: string, publicFile: string): Promise<void> {
  if (existsSync(publicFile)) return;
  await openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', keyFile);
  await openssl('pkey', '-in', keyFile, '-pubout', '-out', publicFile);
}

async function authority(keyFile: string, certFile: string, regionId: string): Promise<void> {
  if (existsSync(certFile)) return;
  await openssl(
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', DAYS],
    ...['-subj', `/CN=LPMOS region ${regionId} CA`, '-keyout', keyFile, '-out', certFile],
    ...[
      '-addext',
      'basicConstraints=critical,CA:TRUE,pathlen:0',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ],
  );
}

async function certificate({
  dir,
  tlsName,
}: {
  readonly dir: string;
  readonly tlsName: string;
}): Promise<void> {
  const certFile = join(dir, 'agent.pem');
  if (existsSync(certFile)) return;
  const requestFile = join(dir, 'agent.csr');
  await openssl(
    ...[
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${tlsName}`,
    ],
    ...[
      '-addext',
      `subjectAltName=DNS:${tlsName}`,
      '-keyout',
      join(dir, 'agent-key.pem'),
      '-out',
      requestFile,
    ],
  );
  await openssl(
    ...['x509', '-req', '-in', requestFile, '-CA', join(dir, 'ca.pem'), '-CAkey', join(dir, 'ca-key.pem')],
    ...['-CAcreateserial', '-days', DAYS, '-copy_extensions', 'copy', '-out', certFile],
  );
}
