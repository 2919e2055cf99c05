/** HTTP boot, clocks, health and the agent's door, from the side of a machine: what was seen means what. Pure; http-client.ts and tls-client.ts look. */
import { bad, info, ok, warning } from './findings';
import type { Finding } from './findings';

export interface HttpSeen {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** Why there is no answer, in words. */
export interface HttpFailure {
  readonly url: string;
  readonly failure: string;
}

export type HttpResult = HttpSeen | HttpFailure;

export function failed(result: HttpResult): result is HttpFailure {
  return 'failure' in result;
}

export function scriptFinding(result: HttpResult): Finding {
  if (failed(result)) {
    return bad(
      'http script',
      `${result.url}: ${result.failure}`,
      'let TCP 80 (or the port of the URL) pass from the machines to the region, and see /health of the region',
    );
  }
  if (result.status === 200 && result.body.startsWith('#!ipxe'))
    return ok('http script', `${result.url} is a script`);
  return bad(
    'http script',
    `${result.url} answers ${result.status} and is no iPXE script`,
    'see what listens there: a proxy or another web server answers in place of the region',
  );
}

/** The kernel of the script, or where a region has it. */
export function kernelUrlIn(script: HttpResult, base: string): string {
  const named = failed(script) ? undefined : /^kernel (\S+)/m.exec(script.body)?.[1];
  return named ?? `${base}/boot/assets/agent/vmlinuz`;
}

export function kernelFindings(head: HttpResult, range: HttpResult): Finding[] {
  if (failed(head))
    return [bad('http kernel', `${head.url}: ${head.failure}`, 'see the finding on the script first')];
  if (head.status === 404) {
    return [
      bad(
        'http kernel',
        `${head.url} is not there`,
        'put vmlinuz and initramfs.img of the boot agent into LPMOS_RAMDISK_DIR of the region',
      ),
    ];
  }
  if (head.status !== 200)
    return [bad('http kernel', `${head.url} answers HEAD with ${head.status}`, 'see the log of the region')];
  const length = head.headers['content-length'];
  const found = ok('http kernel', `${head.url} has ${length ?? 'an unknown number of'} bytes`);
  if (!failed(range) && range.status === 206)
    return [found, ok('http range', 'a part of a file comes alone (206)')];
  const answer = failed(range) ? range.failure : `status ${range.status}`;
  return [
    found,
    warning(
      'http range',
      `a range request gives ${answer} instead of 206`,
      'see whether a proxy stands between: broken downloads cannot go on without ranges',
    ),
  ];
}

/** TLS tolerates minutes; certificates and tickets do not tolerate hours. */
const SKEW = { warning: 30, bad: 300 };

export function clockFinding(result: HttpResult, nowMs: number): Finding | undefined {
  const date = failed(result) ? undefined : result.headers['date'];
  const theirs = date === undefined ? NaN : Date.parse(date);
  if (Number.isNaN(theirs)) return undefined;
  // The header has whole seconds.
  const seconds = Math.round((theirs - nowMs) / 1000);
  const apart = Math.abs(seconds);
  if (apart < SKEW.warning) return ok('clock', `the region's clock and this one are ${apart} s apart`);
  const text = `the region's clock is ${apart} s ${seconds > 0 ? 'ahead of' : 'behind'} this one`;
  const fix = 'synchronise both by NTP; certificates, grants and tickets of agents depend on it';
  return apart < SKEW.bad ? warning('clock', text, fix) : bad('clock', text, fix);
}

/** How the region says it is, and each notice of its own: what its operators have to know and it can neither check nor cure. */
export function healthFindings(result: HttpResult): Finding[] {
  if (failed(result)) {
    return [
      bad(
        'health',
        `${result.url}: ${result.failure}`,
        'let TCP 8081 pass from the machines to the region, and see that its daemon runs',
      ),
    ];
  }
  const body = parsed(result.body);
  return [stateFinding(result.url, body), ...textsIn(body['notices']).map((text) => info('notice', text))];
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function stateFinding(url: string, body: Readonly<Record<string, unknown>>): Finding {
  const problems = textsIn(body['problems']);
  if (body['status'] === 'healthy') return ok('health', 'the region is healthy');
  if (typeof body['status'] !== 'string')
    return bad('health', `${url} is no health report`, 'see what listens there');
  const services = Object.entries(
    typeof body['services'] === 'object' && body['services'] !== null ? body['services'] : {},
  )
    .filter(([, state]) => state !== 'running' && state !== 'off')
    .map(([name, state]) => `${name} ${String(state)}`);
  const etcd = body['etcd_connected'] === false ? ['no connection to etcd'] : [];
  const tasks =
    body['tasks_read'] === false ? ['its tasks are not read yet, so machines are told to wait'] : [];
  const rank = body['leadership'];
  const ranked = rank === undefined || rank === 'leading' || rank === 'standby';
  // The daemon notices within seconds that it cannot hold its session, and later that etcd is silent.
  const cutOff = ranked ? [] : [`leadership ${String(rank)}: it neither leads nor stands by, see etcd`];
  const what = [...problems, ...services, ...etcd, ...tasks, ...cutOff].join('; ') || String(body['status']);
  return warning('health', `the region says: ${what}`, 'see the log of its daemon');
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export type TlsResult =
  | { readonly validFromMs: number; readonly validToMs: number; readonly subject: string }
  | { readonly failure: string };

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

export function tlsFinding(where: string, result: TlsResult, nowMs: number): Finding {
  const check = 'agent port';
  if ('failure' in result)
    return bad(
      check,
      `${where}: ${result.failure}`,
      'let TCP 8082 pass from the machines to the region, without a proxy that ends TLS',
    );
  const { validFromMs, validToMs, subject } = result;
  if (nowMs < validFromMs)
    return bad(
      check,
      `the certificate of ${subject} is not valid yet`,
      'set the clocks right, then look again',
    );
  if (nowMs > validToMs)
    return bad(
      check,
      `the certificate of ${subject} has expired`,
      'renew LPMOS_AGENT_CERT_FILE of the region',
    );
  const days = Math.floor((validToMs - nowMs) / DAY_MS);
  if (days < SOON_DAYS)
    return warning(
      check,
      `the certificate of ${subject} ends in ${days} days`,
      'renew LPMOS_AGENT_CERT_FILE of the region',
    );
  return ok(check, `TLS on ${where}; the certificate of ${subject} is good for ${days} days`);
}

export function notFound(): Finding {
  return info(
    'region',
    'its address is not known, so port 4011, TFTP, HTTP, health and the agent port were not looked at; give --region-address',
  );
}
