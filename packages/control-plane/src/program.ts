/** The program around the composition root: from checked settings to components. */
import { ConfigError, etcdTlsProblems, keyPairProblems } from '@lpmos/runtime';
import type { Component, KeyFile, Program, ProgramContext } from '@lpmos/runtime';
import { createEtcdKv } from '@lpmos/store';
import type { EtcdConfig } from '@lpmos/store';
import { CONTROL_PLANE_CONFIG } from './config';
import type { ControlPlaneConfig } from './config';
import { createControlPlane } from './control-plane';
import { createGrantSigner } from './grants/sign-grant';

export const controlPlaneProgram: Program<typeof CONTROL_PLANE_CONFIG> = {
  name: 'lpmos-control-plane',
  version: '0.1.0',
  summary: 'REST API of LPMOS: tasks, approvals, regions, events. Stateless; run as many as you like.',
  examples: [
    'LPMOS_JWT_PUBLIC_KEY_FILE=jwt.pub LPMOS_GRANT_KEY_FILE=grant.key lpmos-control-plane',
    'lpmos-control-plane --config /etc/lpmos/control-plane.yaml --print-config',
  ],
  table: CONTROL_PLANE_CONFIG,
  logLevel: (config) => config.logLevel,
  components: componentsOf,
};

/** A replica behind a load balancer should notice soon that it lost etcd; see STORE_SILENCE_MS. */
const WATCH_PROBE_MS = 3_000;

function componentsOf(config: ControlPlaneConfig, { logger, version }: ProgramContext): readonly Component[] {
  checkKeyFiles(config);
  return createControlPlane({
    kv: createEtcdKv({ endpoints: config.etcdEndpoints, watchProbeMs: WATCH_PROBE_MS, ...etcdTls(config) }),
    logger,
    version,
    listen: { host: config.listenAddress, port: config.apiPort },
    tls: tlsOf(config),
    tokens: { keys: config.jwtKeys, issuer: config.jwtIssuer, audience: config.jwtAudience },
    signGrant: createGrantSigner(config.grantKey),
    grantSeconds: config.grantSeconds,
  });
}

/** Before anything listens: TLS itself would name neither setting nor file. */
function checkKeyFiles(config: ControlPlaneConfig): void {
  const named = (name: 'tlsCert' | 'tlsKey' | 'etcdCa' | 'etcdCert' | 'etcdKey'): KeyFile => ({
    env: CONTROL_PLANE_CONFIG[name].env,
    file: config[name],
  });
  const problems = [
    ...keyPairProblems(named('tlsCert'), named('tlsKey')),
    ...etcdTlsProblems({ ca: named('etcdCa'), cert: named('etcdCert'), key: named('etcdKey') }),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
}

function tlsOf({
  tlsCert,
  tlsKey,
}: ControlPlaneConfig): { readonly cert: string; readonly key: string } | undefined {
  return tlsCert === undefined || tlsKey === undefined ? undefined : { cert: tlsCert.text, key: tlsKey.text };
}

function etcdTls({ etcdCa, etcdCert, etcdKey }: ControlPlaneConfig): Pick<EtcdConfig, 'tls'> {
  if (etcdCa === undefined) return {};
  const ca = Buffer.from(etcdCa.text);
  if (etcdCert === undefined || etcdKey === undefined) return { tls: { ca } };
  return { tls: { ca, cert: Buffer.from(etcdCert.text), key: Buffer.from(etcdKey.text) } };
}
