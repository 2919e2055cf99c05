/** A throw-away CA and a server certificate for one test run, made by openssl: Node can read X.509 but not write it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export function makeTestTls(serverName: string): TestTls {
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-simulator-tls-'));
  const file = (name: string): string => join(folder, name);
  const openssl = (...words: string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  try {
    const ca = ['-subj', '/CN=test CA', '-days', '2', '-keyout', 'ca.key', '-out', 'ca.pem'];
    openssl('req', '-x509', ...newKey, ...ca);
    openssl('req', ...newKey, '-subj', `/CN=${serverName}`, '-keyout', 'server.key', '-out', 'server.csr');
    writeFileSync(file('san.cnf'), `subjectAltName=DNS:${serverName}\n`);
    const sign = [
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'san.cnf',
    ];
    openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...sign);
    const read = (name: string): string => readFileSync(file(name), 'utf8');
    return { ca: read('ca.pem'), cert: read('server.pem'), key: read('server.key') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
