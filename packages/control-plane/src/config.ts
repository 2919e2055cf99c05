/** The settings of the control plane. Keys are read and checked here, so that a wrong one is a refused start and not a first request. */
import { isIP } from 'node:net';
import { DEFAULT_GRANT_SECONDS } from '@lpmos/core';
import {
  choiceType,
  defineConfig,
  endpointType,
  fileContentType,
  integerType,
  listType,
  LOG_LEVELS,
  portType,
  textType,
} from '@lpmos/runtime';
import type { ConfigOf, ConfigType } from '@lpmos/runtime';
import { readPublicKeys } from './auth/public-keys';
import { readGrantKey } from './grants/sign-grant';

/** A file whose text another reader understands or says what is wrong with. */
function fileOf<T extends object>(
  describe: string,
  read: (text: string) => T | { readonly problem: string },
): ConfigType<T> {
  return {
    describe,
    read(path) {
      const file = fileContentType.read(path);
      if ('problem' in file) return file;
      const value = read(file.value.text);
      return 'problem' in value && typeof value.problem === 'string'
        ? { problem: `${path} ${value.problem}` }
        : { value: value as T };
    },
  };
}

const addressType: ConfigType<string> = {
  describe: 'an IP address',
  read: (text) => (isIP(text) === 0 ? { problem: 'must be an IP address such as 0.0.0.0' } : { value: text }),
};
const nameType = textType({ describe: '1 to 128 printable characters', pattern: /^[\x21-\x7e]{1,128}$/ });

export const CONTROL_PLANE_CONFIG = defineConfig({
  listenAddress: {
    env: 'LPMOS_LISTEN_ADDRESS',
    type: addressType,
    description: 'Address that the API listens on',
    default: '127.0.0.1',
  },
  apiPort: { env: 'LPMOS_API_PORT', type: portType, description: 'TCP port of the API', default: '8080' },
  etcdEndpoints: {
    env: 'LPMOS_ETCD_ENDPOINTS',
    type: listType(endpointType),
    description: 'Members of the etcd cluster',
    default: 'http://127.0.0.1:2379',
  },
  etcdCa: {
    env: 'LPMOS_ETCD_CA_FILE',
    type: fileContentType,
    description: 'CA certificate of etcd',
    optional: true,
  },
  etcdCert: {
    env: 'LPMOS_ETCD_CERT_FILE',
    type: fileContentType,
    description: 'Client certificate for etcd; needs the key as well',
    optional: true,
  },
  etcdKey: {
    env: 'LPMOS_ETCD_KEY_FILE',
    type: fileContentType,
    description: 'Key of the client certificate for etcd',
    optional: true,
  },
  jwtKeys: {
    env: 'LPMOS_JWT_PUBLIC_KEY_FILE',
    type: fileOf('the path of a PEM file with up to 4 EC P-256 public keys', readPublicKeys),
    description: 'Keys that verify bearer tokens (ES256); several while one is rotated',
  },
  jwtIssuer: {
    env: 'LPMOS_JWT_ISSUER',
    type: nameType,
    description: 'Required issuer (iss) of bearer tokens',
    default: 'lpmos',
  },
  jwtAudience: {
    env: 'LPMOS_JWT_AUDIENCE',
    type: nameType,
    description: 'Required audience (aud) of bearer tokens',
    default: 'lpmos-api',
  },
  grantKey: {
    env: 'LPMOS_GRANT_KEY_FILE',
    type: fileOf('the path of a PEM file with an EC P-256 private key', readGrantKey),
    description: 'Key that signs grants; its public half is in the ramdisk of every region',
  },
  grantSeconds: {
    env: 'LPMOS_GRANT_SECONDS',
    type: integerType({ min: 60, max: 7 * 24 * 60 * 60, unit: 'seconds' }),
    description: 'From approval to the last allowed start of a write',
    default: String(DEFAULT_GRANT_SECONDS),
  },
  tlsCert: {
    env: 'LPMOS_TLS_CERT_FILE',
    type: fileContentType,
    description: 'Certificate chain of the API; with the key it switches TLS on',
    optional: true,
  },
  tlsKey: {
    env: 'LPMOS_TLS_KEY_FILE',
    type: fileContentType,
    description: 'Key of the certificate of the API',
    optional: true,
  },
  logLevel: {
    env: 'LPMOS_LOG_LEVEL',
    type: choiceType(LOG_LEVELS),
    description: 'Least severe message that is logged',
    default: 'info',
  },
});

export type ControlPlaneConfig = ConfigOf<typeof CONTROL_PLANE_CONFIG>;

/** The environment, read in this file only. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;
