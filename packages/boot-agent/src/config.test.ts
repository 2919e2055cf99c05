import { generateKeyPairSync } from 'node:crypto';
import { parseAgentConfig, parseCommandLine } from './config';
import { makeCertificates } from './testing/fake-region';
import { makeGrantKeys } from './testing/test-grant';

const { caPem } = makeCertificates();
const grantPem = makeGrantKeys().publicPem;
const site = (change: object = {}): string =>
  JSON.stringify({
    schema_version: 1,
    region_id: 'lab',
    tls_server_name: 'region.lab.lpmos.internal',
    ...change,
  });
const LINE =
  'BOOT_IMAGE=x quiet lpmos.region=lab lpmos.agent=192.0.2.1:8082 lpmos.task=5891b5b5-22d5-8df0-86d0-ff0b110fbd9d lpmos.ticket=abc lpmos.mac=52-54-00-12-34-56';
const read = (
  commandLine: string | undefined,
  siteJson: string | undefined,
  key: string | undefined = grantPem,
) => parseAgentConfig({ commandLine, caPem, grantPem: key, siteJson });
const paths = (reading: ReturnType<typeof read>): string[] =>
  'problems' in reading ? reading.problems.map(({ path }) => path) : [];

describe('configuration', () => {
  it('is read from a command line with foreign arguments', () => {
    expect(read(LINE, site())).toMatchObject({
      config: {
        regionId: 'lab',
        mac: '52:54:00:12:34:56',
        ticket: 'abc',
        agentAddresses: ['192.0.2.1:8082'],
      },
    });
    expect(parseCommandLine('a=1 b a=2 c=x=y').get('a')).toBe('2');
    expect(parseCommandLine('c=x=y').get('c')).toBe('x=y');
  });

  it.each([
    '192.0.2.1:8082,192.0.2.3:8082',
    '192.0.2.1:8082,192.0.2.1:8083,[2001:db8::1]:8082,192.0.2.3:8082',
  ])('takes up to four daemons of the region in their order: %s', (agent) => {
    expect(read(LINE.replace('192.0.2.1:8082', agent), site())).toMatchObject({
      config: { agentAddresses: agent.split(',') },
    });
  });

  const RULE = 'one to four different addresses and ports, separated by commas, such as';
  it.each([
    ['', 'is empty'],
    ['192.0.2.1:8082,', 'has nothing before or after a comma'],
    ['192.0.2.1:8082,,192.0.2.3:8082', 'has nothing before or after a comma'],
    ['192.0.2.1:8082,192.0.2.3', 'names 192.0.2.3, which is no address with a port'],
    ['evil.example:1,192.0.2.3:8082', 'names evil.example:1, which is no address with a port'],
    ['192.0.2.1:8082,192.0.2.3:0', 'names 192.0.2.3:0, which is no address with a port'],
    ['192.0.2.1:8082,192.0.2.3:8082,192.0.2.1:8082', 'names 192.0.2.1:8082 twice'],
    ['192.0.2.1:1,192.0.2.1:2,192.0.2.1:3,192.0.2.1:4,192.0.2.1:5', 'names 5 endpoints'],
  ])('says what is wrong with lpmos.agent=%s', (agent, fault) => {
    const problem = expect.stringContaining(`${fault}; it must be ${RULE}`) as string;
    expect(read(LINE.replace('192.0.2.1:8082', agent), site())).toEqual({
      problems: [{ path: 'lpmos.agent', problem }],
    });
  });

  it('lists everything that is missing at once', () => {
    const reading = parseAgentConfig({
      commandLine: undefined,
      caPem: undefined,
      grantPem: undefined,
      siteJson: undefined,
    });
    expect(paths(reading).sort()).toEqual([
      '/lpmos/site/ca.pem',
      '/lpmos/site/grant.pem',
      '/lpmos/site/site.json',
      'lpmos.agent',
      'lpmos.mac',
      'lpmos.region',
      'lpmos.task',
      'lpmos.ticket',
    ]);
  });

  it.each([
    ['lpmos.agent', LINE.replace('192.0.2.1:8082', 'evil.example:1')],
    ['lpmos.agent', LINE.replace(':8082', ':99999')],
    ['lpmos.task', LINE.replace('5891b5b5', 'XXXXXXXX')],
    ['lpmos.mac', LINE.replace('52-54', 'ff-ff')],
  ])('refuses a wrong %s', (path, line) => {
    expect(paths(read(line, site()))).toEqual([path]);
  });

  it.each([
    ['another region', site({ region_id: 'dc2' })],
    ['another version', site({ schema_version: 2 })],
    ['no name', site({ tls_server_name: 'a b' })],
    ['no JSON', '{'],
    ['null', 'null'],
  ])('refuses a site file with %s', (_what, json) => {
    expect(paths(read(LINE, json))).toEqual(['/lpmos/site/site.json']);
  });

  it('takes only a public P-256 key for grants', () => {
    const pem = (pair: ReturnType<typeof generateKeyPairSync>, secret = false): string =>
      secret
        ? (pair.privateKey as unknown as { export(o: object): string }).export({
            type: 'pkcs8',
            format: 'pem',
          })
        : (pair.publicKey as unknown as { export(o: object): string }).export({
            type: 'spki',
            format: 'pem',
          });
    expect(paths(read(LINE, site(), pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }), true)))).toEqual([
      '/lpmos/site/grant.pem',
    ]);
    expect(paths(read(LINE, site(), pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }))))).toEqual([
      '/lpmos/site/grant.pem',
    ]);
    expect(paths(read(LINE, site(), pem(generateKeyPairSync('ed25519'))))).toEqual(['/lpmos/site/grant.pem']);
  });
});
