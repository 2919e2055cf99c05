import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { siteKeyProblems } from './site-keys';

const NAME = 'region.dc1.example.com';
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
let folder: string;

const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
const file = (name: string): { readonly path: string; readonly text: string } => ({
  path: name,
  text: readFileSync(join(folder, name), 'utf8'),
});

function authority(name: string): void {
  openssl(
    ...['req', '-x509', ...EC, '-days', '30', '-subj', `/CN=${name}`],
    ...['-keyout', `${name}-key.pem`, '-out', `${name}.pem`],
  );
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-keys-'));
  authority('ca');
  authority('other');
  openssl(
    ...['req', '-new', ...EC, '-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`],
    ...['-keyout', 'agent-key.pem', '-out', 'agent.csr'],
  );
  openssl(
    ...['x509', '-req', '-in', 'agent.csr', '-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial'],
    ...['-days', '30', '-copy_extensions', 'copy', '-out', 'agent.pem'],
  );
  openssl('pkey', '-in', 'agent-key.pem', '-pubout', '-out', 'public.pem');
});
afterAll(() => rmSync(folder, { recursive: true }));

const good = () => ({
  ...{ etcdCa: undefined, etcdCert: undefined, etcdKey: undefined },
  ...{ agentCa: file('ca.pem'), agentCert: file('agent.pem'), agentKey: file('agent-key.pem') },
  ...{ agentTlsName: NAME, grantPublicKey: file('public.pem') },
});

it('takes keys that belong together', () => {
  expect(siteKeyProblems(good())).toEqual([]);
});

it.each<[string, () => object, string]>([
  [
    'a CA that is none',
    () => ({ agentCa: file('public.pem') }),
    'LPMOS_AGENT_CA_FILE=public.pem: holds no PEM certificate',
  ],
  ['another CA', () => ({ agentCa: file('other.pem') }), 'agent.pem: is not signed by the CA in other.pem'],
  [
    'a certificate that is none',
    () => ({ agentCert: file('public.pem') }),
    'LPMOS_AGENT_CERT_FILE=public.pem: holds no PEM',
  ],
  [
    'a key of another certificate',
    () => ({ agentKey: file('ca-key.pem') }),
    'LPMOS_AGENT_KEY_FILE=ca-key.pem: is not the key',
  ],
  [
    'a name that is not in it',
    () => ({ agentTlsName: 'dc2' }),
    `LPMOS_AGENT_TLS_NAME=dc2: is no name in the certificate agent.pem, which has DNS:${NAME}`,
  ],
  [
    'a private key for the machines',
    () => ({ grantPublicKey: file('agent-key.pem') }),
    'LPMOS_GRANT_PUBLIC_KEY_FILE=agent-key.pem: holds a private key',
  ],
  [
    'a certificate as public key of grants',
    () => ({ grantPublicKey: { path: 'x', text: 'x' } }),
    'LPMOS_GRANT_PUBLIC_KEY_FILE=x: holds no PEM public key',
  ],
  [
    'a key of etcd without its certificate',
    () => ({ etcdCa: file('ca.pem'), etcdKey: file('agent-key.pem') }),
    'LPMOS_ETCD_KEY_FILE needs LPMOS_ETCD_CERT_FILE as well',
  ],
  [
    'a certificate of etcd that nobody would see',
    () => ({ etcdCert: file('agent.pem'), etcdKey: file('agent-key.pem') }),
    'LPMOS_ETCD_CERT_FILE needs LPMOS_ETCD_CA_FILE as well',
  ],
])('refuses %s, by setting, file and fix', (_what, wrong, text) => {
  expect(siteKeyProblems({ ...good(), ...wrong() })).toEqual([expect.stringContaining(text)]);
});

it('says all of it at once', () => {
  const wrong = { agentCa: file('other.pem'), agentTlsName: 'dc2', grantPublicKey: file('agent-key.pem') };
  expect(siteKeyProblems({ ...good(), ...wrong })).toHaveLength(3);
});
