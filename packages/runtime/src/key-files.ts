/**
 * What is wrong with certificates and keys, said before anything is served with them: TLS takes a wrong one for granted until the first
 * handshake, which is then a machine's or another host's problem. Pure: the texts of files in, problems with setting and path out.
 * Whether a certificate is still good today is not asked: a daemon that restarts must go on serving what needs no certificate.
 */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A setting that names a file; `file` is absent where the setting is. */
export interface KeyFile {
  readonly env: string;
  readonly file: { readonly path: string; readonly text: string } | undefined;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM file in their order; undefined where one is broken or there is none. */
export function readCertificates(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  try {
    return blocks.length === 0 ? undefined : blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

export function certificateProblems({ env, file }: KeyFile): readonly string[] {
  if (file === undefined || readCertificates(file.text) !== undefined) return [];
  return [`${env}=${file.path}: holds no PEM certificate ("BEGIN CERTIFICATE")`];
}

/** A certificate without its key, or the other way round, is a slip that must not silently mean "no TLS". */
export function keyPairProblems(certificate: KeyFile, key: KeyFile): readonly string[] {
  if (certificate.file === undefined || key.file === undefined) {
    if (certificate.file === key.file) return [];
    const [given, missing] = certificate.file === undefined ? [key, certificate] : [certificate, key];
    return [`${given.env} needs ${missing.env} as well`];
  }
  const wrong = certificateProblems(certificate);
  const privateKey = readKey(createPrivateKey, key.file.text);
  if (privateKey === undefined)
    return [...wrong, `${key.env}=${key.file.path}: holds no PEM private key without passphrase`];
  const [leaf] = readCertificates(certificate.file.text) ?? [];
  if (leaf === undefined || leaf.checkPrivateKey(privateKey)) return wrong;
  return [
    `${key.env}=${key.file.path}: is not the key of the certificate in ${certificate.file.path} (${certificate.env}); name the two that belong together`,
  ];
}

/** TLS towards etcd: client certificate and CA go together, or the certificate would never be shown. */
export function etcdTlsProblems(files: Readonly<Record<'ca' | 'cert' | 'key', KeyFile>>): readonly string[] {
  const { ca, cert, key } = files;
  const needsCa = ca.file === undefined && (cert.file ?? key.file) !== undefined;
  return [
    ...certificateProblems(ca),
    ...keyPairProblems(cert, key),
    ...(needsCa ? [`${cert.env} needs ${ca.env} as well: without it nothing is shown to etcd`] : []),
  ];
}

/** A public key of grants. Made from a private one it would work as well, and hand that key to whoever reads it. */
export function publicKeyProblems({ env, file }: KeyFile): readonly string[] {
  if (file === undefined) return [];
  const at = `${env}=${file.path}:`;
  if (file.text.includes('PRIVATE KEY'))
    return [`${at} holds a private key; name its public half (openssl pkey -in FILE -pubout)`];
  const key = readKey(createPublicKey, file.text);
  if (key === undefined) return [`${at} holds no PEM public key ("BEGIN PUBLIC KEY")`];
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256 ? [] : [`${at} holds a key that is not EC P-256, which ES256 needs`];
}

function readKey(read: (pem: string) => KeyObject, pem: string): KeyObject | undefined {
  try {
    return read(pem);
  } catch {
    return undefined;
  }
}
