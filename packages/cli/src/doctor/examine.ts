/**
 * The examination of a network, in order: who answers DHCP here, which of them is the region, and then everything that a machine needs of it,
 * side by side. A shell: every wait has its deadline, the whole ends within 20 s; what the results mean is decided in the …-check.ts files.
 */
import { readFileSync } from 'node:fs';
import type { MacAddress } from '@lpmos/core';
import { bootServerFinding, dhcpFindings, regionAddressIn, relayFinding } from './dhcp-check';
import type { DhcpAnswer } from './dhcp-check';
import { askAsRelay, askBootServer, gatherOffers } from './dhcp-client';
import type { Finding } from './findings';
import {
  clockFinding,
  healthFindings,
  kernelFindings,
  kernelUrlIn,
  notFound,
  scriptFinding,
  tlsFinding,
} from './http-check';
import { askHttp } from './http-client';
import { ipv6RouterFinding, listensToRouters } from './ipv6-check';
import { clientPortFinding, relayPortFinding } from './port-check';
import { FULL_BLOCK, SMALLER_BLOCKS, tftpFindings, tftpUntried } from './tftp-check';
import { tryTftp } from './tftp-client';
import { lookAtTls } from './tls-client';

export interface ExamineOptions {
  readonly interfaceName: string;
  /** IPv4 address of the interface. */
  readonly address: string;
  readonly mac: MacAddress;
  readonly regionAddress?: string;
  readonly relay?: string;
  /** A random number; questions are told apart by it. */
  readonly firstXid: number;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  readonly progress: (what: string) => void;
}

const GATHER_MS = 3_000;
const ASK_MS = 3_000;
/** A name that no server has; 69 itself refuses it. */
const UNKNOWN_NAME = 'lpmos-doctor-asks-for-what-is-not-there';
const TFTP_PORT = 69;
const AGENT_PORT = 8082;
const HEALTH_PORT = 8081;

export async function examine(options: ExamineOptions): Promise<Finding[]> {
  const { progress } = options;
  progress(`asking for an address on ${options.interfaceName} as ${options.mac}`);
  const offers = await listen(options);
  if ('check' in offers) {
    return [
      offers,
      ipv6Part(options.interfaceName),
      ...(await examineRegion(options, [], options.regionAddress)),
    ];
  }
  const region = options.regionAddress ?? regionAddressIn(offers);
  const { interfaceName, mac } = options;
  const dhcp = dhcpFindings({
    answers: offers,
    interfaceName,
    mac,
    ...(region === undefined ? {} : { regionAddress: region }),
  });
  return [...dhcp, ipv6Part(interfaceName), ...(await examineRegion(options, offers, region))];
}

function ipv6Part(interfaceName: string): Finding {
  const setting = (name: string) => readText(`/proc/sys/net/ipv6/conf/${interfaceName}/${name}`);
  return ipv6RouterFinding(interfaceName, {
    routes: readText('/proc/net/ipv6_route'),
    listens: listensToRouters(setting('accept_ra'), setting('forwarding')),
  });
}

/** Undefined where the kernel has no such file. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Not being able to ask is a finding, and the rest can be looked at. */
async function listen(options: ExamineOptions): Promise<DhcpAnswer[] | Finding> {
  try {
    return await gatherOffers({ ...options, forMs: GATHER_MS });
  } catch (thrown) {
    return clientPortFinding(codeOf(thrown));
  }
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Object && 'code' in thrown ? String(thrown.code) : String(thrown);
}

async function examineRegion(
  options: ExamineOptions,
  offers: readonly DhcpAnswer[],
  region: string | undefined,
): Promise<Finding[]> {
  if (region === undefined) return [notFound()];
  options.progress(`asking the region ${region} for loader, script, kernel, health and its agent port`);
  const parts = await Promise.all([
    relayPart(options, region),
    bootServerPart(options, offers, region),
    tftpPart(offers, region),
    httpPart(options, offers, region),
    healthPart(region),
    tlsPart(options, region),
  ]);
  return parts.flat();
}

async function relayPart(options: ExamineOptions, region: string): Promise<Finding[]> {
  const { relay } = options;
  if (relay === undefined) return [];
  try {
    const asked = {
      ...options,
      address: relay,
      region,
      forMs: ASK_MS,
      firstXid: options.firstXid + RELAY_XIDS,
    };
    return [relayFinding(relay, region, await askAsRelay(asked))];
  } catch (thrown) {
    return [relayPortFinding(relay, codeOf(thrown))];
  }
}

/** Questions of different kinds must not share numbers. */
const RELAY_XIDS = 16;
const BOOT_SERVER_XID = 32;

async function bootServerPart(
  options: ExamineOptions,
  offers: readonly DhcpAnswer[],
  region: string,
): Promise<Finding[]> {
  const result = await askBootServer({
    ...{ mac: options.mac, address: options.address, region, deadlineMs: ASK_MS },
    xid: (options.firstXid + BOOT_SERVER_XID) >>> 0,
  });
  const ours = offers.filter(({ server }) => server === region);
  const isProxy = ours.length > 0 && ours.every(({ offered }) => offered === undefined);
  const isKnown = ours.some(({ bootFile }) => bootFile !== undefined);
  return [bootServerFinding(result, isProxy, isKnown)];
}

async function tftpPart(offers: readonly DhcpAnswer[], region: string): Promise<Finding[]> {
  const to = { server: region, port: TFTP_PORT, deadlineMs: ASK_MS };
  const loader = offers.find(
    ({ server, client, bootFile }) => server === region && client !== 'ipxe-bios' && bootFile !== undefined,
  );
  const unknown = tryTftp({ ...to, file: UNKNOWN_NAME, blksize: FULL_BLOCK });
  if (loader?.bootFile === undefined) return [tftpUntried(await unknown)];
  const file = loader.bootFile;
  const [unknownName, full] = await Promise.all([unknown, tryTftp({ ...to, file, blksize: FULL_BLOCK })]);
  const smaller =
    full.end === 'no-data'
      ? await Promise.all(SMALLER_BLOCKS.map((blksize) => tryTftp({ ...to, file, blksize })))
      : [];
  return tftpFindings({ full, smaller, unknownName });
}

async function httpPart(
  options: ExamineOptions,
  offers: readonly DhcpAnswer[],
  region: string,
): Promise<Finding[]> {
  const named = offers.find(({ server, client }) => server === region && client === 'ipxe-bios')?.bootFile;
  const base = /^(http:\/\/[^/]+)\//.exec(named ?? '')?.[1] ?? `http://${region}`;
  const mac = options.mac.replaceAll(':', '-');
  const script = await askHttp({
    url: `${base}/boot/menu.ipxe?mac=${mac}&platform=pcbios`,
    headers: { 'User-Agent': 'lpmos-doctor' },
    deadlineMs: ASK_MS,
  });
  const clock = clockFinding(script, options.nowMs());
  const url = kernelUrlIn(script, base);
  const [head, range] = await Promise.all([
    askHttp({ url, method: 'HEAD', deadlineMs: ASK_MS }),
    askHttp({ url, headers: { Range: 'bytes=0-0' }, deadlineMs: ASK_MS }),
  ]);
  return [scriptFinding(script), ...kernelFindings(head, range), ...(clock === undefined ? [] : [clock])];
}

async function healthPart(region: string): Promise<Finding[]> {
  return healthFindings(
    await askHttp({ url: `https://${region}:${HEALTH_PORT}/health`, deadlineMs: ASK_MS }),
  );
}

async function tlsPart(options: ExamineOptions, region: string): Promise<Finding[]> {
  const result = await lookAtTls({ host: region, port: AGENT_PORT, deadlineMs: ASK_MS });
  return [tlsFinding(`${region}:${AGENT_PORT}`, result, options.nowMs())];
}
