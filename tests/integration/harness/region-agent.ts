/** A tiny agent as the seed means it: no stream, only HTTPS requests with the ticket that its boot script carried. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { EXAMPLE_REPORT } from '@lpmos/core/testing';
import type { Site } from '../../chaos/harness/site';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AgentCall {
  readonly method?: string;
  readonly path: string;
  readonly token?: string;
  readonly contentType?: string;
  /** A value is sent as JSON, a text as it is. */
  readonly body?: unknown;
}

const ANSWER_MS = 20_000;

export function callAgentApi(site: Site, call: AgentCall): Promise<Answer> {
  const { keys, daemonPorts } = site.stack;
  const text = typeof call.body === 'string' ? call.body : JSON.stringify(call.body ?? {});
  const method = call.method ?? 'POST';
  return new Promise((resolve, reject) => {
    const asking = request({
      ...{ host: '127.0.0.1', port: daemonPorts['agent_api'], path: call.path, method, agent: false },
      ...{ ca: readFileSync(keys.caFile), servername: keys.tlsName, timeout: ANSWER_MS },
      headers: {
        ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
        ...(method === 'POST' ? { 'content-type': call.contentType ?? 'application/json' } : {}),
      },
    });
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    asking.on('error', reject);
    asking.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    asking.end(method === 'POST' ? text : undefined);
  });
}

/** What the machine of this MAC boots now: the script as iPXE would fetch it. */
export async function fetchScript(site: Site, mac: string): Promise<string> {
  const url = `http://127.0.0.1:${site.stack.daemonPorts['http']}/boot/menu.ipxe?mac=${mac}`;
  return (await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })).text();
}

/** @throws when the machine is not told to boot the agent */
export async function fetchTicket(site: Site, mac: string): Promise<string> {
  const script = await fetchScript(site, mac);
  const ticket = /lpmos\.ticket=(\S+)/.exec(script)?.[1];
  if (ticket === undefined) throw new Error(`no ticket in the script:\n${script}`);
  return ticket;
}

/** The seed's report of a machine. */
export function reportOf(mac: string): Record<string, unknown> {
  const { mac_address: _mac, ...hardware } = EXAMPLE_REPORT;
  return { mac_address: mac, hardware: { ...hardware, network: [{ ...hardware.network[0], mac }] } };
}
