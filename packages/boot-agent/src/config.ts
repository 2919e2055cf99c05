/**
 * What the agent is told before it speaks to anyone: the kernel command line and the site's files in the second initramfs.
 * One typed configuration, or all problems at once. See docs/architecture.md.
 * Invariant: an agent without a complete configuration starts nothing; it certainly never touches a disk.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { isRegionId, isTaskId, MAC_RULE, readMacAddress, REGION_ID_RULE, TASK_ID_RULE } from '@lpmos/core';
import type { FieldProblem, MacAddress, RegionId, TaskId } from '@lpmos/core';
import type { HostReader } from './host-reader';

export interface AgentConfig {
  readonly regionId: RegionId;
  readonly taskId: TaskId;
  readonly mac: MacAddress;
  /** Single use; opens one session for this task and nothing else. */
  readonly ticket: string;
  /** `ip:port` of each daemon of the region, never empty. One of them leads; first is the one that this machine booted from. */
  readonly agentAddresses: readonly string[];
  readonly tlsServerName: string;
  /** PEM of the CA that signs the region's certificates. */
  readonly caPem: string;
  readonly grantKey: KeyObject;
}

export type ConfigReading = { readonly config: AgentConfig } | { readonly problems: readonly FieldProblem[] };

/** What the two sources hold, as read; undefined means the file is not there. */
export interface ConfigSources {
  readonly commandLine: string | undefined;
  readonly caPem: string | undefined;
  readonly grantPem: string | undefined;
  readonly siteJson: string | undefined;
}

const PATHS = {
  commandLine: '/proc/cmdline',
  caPem: '/lpmos/site/ca.pem',
  grantPem: '/lpmos/site/grant.pem',
  siteJson: '/lpmos/site/site.json',
} as const;

/** Tickets are bearer texts of URL-safe characters; the bound keeps a hostile command line out of the headers. */
const TICKET = /^[\x21-\x7e]{1,2048}$/;
const MOST_ENDPOINTS = 4;
const ENDPOINTS_RULE =
  'one to four different addresses and ports, separated by commas, such as 192.0.2.1:8082,192.0.2.3:8082';
const SERVER_NAME = /^(?=.{1,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)*$/;

export async function readAgentConfig(reader: HostReader): Promise<ConfigReading> {
  const [commandLine, caPem, grantPem, siteJson] = await Promise.all([
    reader.readFile(PATHS.commandLine),
    reader.readFile(PATHS.caPem),
    reader.readFile(PATHS.grantPem),
    reader.readFile(PATHS.siteJson),
  ]);
  return parseAgentConfig({ commandLine, caPem, grantPem, siteJson });
}

export function parseAgentConfig(sources: ConfigSources): ConfigReading {
  const problems: FieldProblem[] = [];
  const need = <T>(path: string, value: T | undefined, problem: string): T => {
    if (value === undefined) problems.push({ path, problem });
    return value as T;
  };
  const args = parseCommandLine(sources.commandLine ?? '');
  const argument = <T>(name: string, read: (text: string) => T | undefined, rule: string): T => {
    const text = args.get(name);
    return need(
      name,
      text === undefined ? undefined : read(text),
      text === undefined ? missing(rule) : `must be ${rule}`,
    );
  };
  const regionId = argument('lpmos.region', (text) => (isRegionId(text) ? text : undefined), REGION_ID_RULE);
  const site = readSite(sources.siteJson);
  if (typeof site === 'string') problems.push({ path: PATHS.siteJson, problem: site });
  else if (regionId !== undefined && site.region_id !== regionId) {
    const problem = `is for region ${site.region_id}, but the command line says ${regionId}; the boot server mixes two sites`;
    problems.push({ path: PATHS.siteJson, problem });
  }
  const endpoints = readEndpoints(args.get('lpmos.agent'));
  if (typeof endpoints === 'string') problems.push({ path: 'lpmos.agent', problem: endpoints });
  const config: AgentConfig = {
    regionId,
    taskId: argument('lpmos.task', (text) => (isTaskId(text) ? text : undefined), TASK_ID_RULE),
    mac: argument('lpmos.mac', readMacAddress, MAC_RULE),
    ticket: argument(
      'lpmos.ticket',
      (text) => (TICKET.test(text) ? text : undefined),
      'a ticket of the region',
    ),
    agentAddresses: typeof endpoints === 'string' ? [] : endpoints,
    tlsServerName: typeof site === 'string' ? '' : site.tls_server_name,
    caPem: need(
      PATHS.caPem,
      readCertificate(sources.caPem),
      'must hold the certificate of the region CA in PEM',
    ),
    grantKey: need(PATHS.grantPem, readGrantKey(sources.grantPem), 'must hold a P-256 public key in PEM'),
  };
  return problems.length === 0 ? { config } : { problems };
}

const missing = (rule: string): string => `is missing from the kernel command line; it must be ${rule}`;

/** `name=value` words; the last one wins, as in the kernel. Foreign words are no business of ours. */
export function parseCommandLine(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const word of text.split(/\s+/)) {
    const at = word.indexOf('=');
    if (at > 0) values.set(word.slice(0, at), word.slice(at + 1));
  }
  return values;
}

function readEndpoints(text: string | undefined): readonly string[] | string {
  if (text === undefined) return missing(ENDPOINTS_RULE);
  const endpoints = text.split(',');
  const fault = faultOf(endpoints);
  return fault === undefined ? endpoints : `${fault}; it must be ${ENDPOINTS_RULE}`;
}

function faultOf(endpoints: readonly string[]): string | undefined {
  if (endpoints.includes(''))
    return endpoints.length === 1 ? 'is empty' : 'has nothing before or after a comma';
  const wrong = endpoints.find((each) => !isEndpoint(each));
  if (wrong !== undefined) return `names ${wrong}, which is no address with a port`;
  const repeated = endpoints.find((each, index) => endpoints.indexOf(each) < index);
  if (repeated !== undefined) return `names ${repeated} twice`;
  return endpoints.length > MOST_ENDPOINTS ? `names ${endpoints.length} endpoints` : undefined;
}

function isEndpoint(text: string): boolean {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  const ip = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  return isIP(ip) !== 0 && port >= 1 && port <= 65_535;
}

interface Site {
  readonly schema_version: 1;
  readonly region_id: string;
  readonly tls_server_name: string;
}

function readSite(text: string | undefined): Site | string {
  if (text === undefined) return 'is missing; the boot server must append the initramfs of its site';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'must be JSON';
  }
  const site = (value ?? {}) as Partial<Record<keyof Site, unknown>>;
  if (site.schema_version !== 1)
    return 'schema_version must be 1; use the ramdisk that belongs to this region';
  if (typeof site.region_id !== 'string' || !isRegionId(site.region_id))
    return `region_id must be ${REGION_ID_RULE}`;
  if (typeof site.tls_server_name !== 'string' || !SERVER_NAME.test(site.tls_server_name)) {
    return 'tls_server_name must be a DNS name in lower case';
  }
  return { schema_version: 1, region_id: site.region_id, tls_server_name: site.tls_server_name };
}

function readCertificate(pem: string | undefined): string | undefined {
  try {
    return pem === undefined ? undefined : (new X509Certificate(pem), `${pem}\n`);
  } catch {
    return undefined;
  }
}

function readGrantKey(pem: string | undefined): KeyObject | undefined {
  try {
    // createPublicKey would derive a public key from a private one; a private key has no business on a machine.
    if (pem === undefined || pem.includes('PRIVATE')) return undefined;
    const key = createPublicKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}
