/**
 * A router, as far as machines notice it: it answers IPv6 router solicitations and nothing else. iPXE of 2019 waits
 * 13 to 16 seconds for such an answer at every start when there is none, where no region says so (`ipv6_router: none`).
 * Not responsible for DHCP: that is the product's work, so dnsmasq is told to serve neither DHCP leases nor DNS.
 */
import { spawn } from 'node:child_process';
import { runCommand } from '../run-command';

export interface Router {
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/** A documentation-safe unique local prefix (RFC 4193); nothing is routed. */
const ROUTER_ADDRESS = 'fd77::1/64';
const READY_DEADLINE_MS = 10_000;

export function routerArguments(bridge: string): string[] {
  return [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--port=0',
    `--interface=${bridge}`,
    '--bind-interfaces',
    '--enable-ra',
    '--dhcp-range=fd77::,ra-only,64',
    // Minimum interval: a machine that missed the answer to its question hears the next announcement soon.
    `--ra-param=${bridge},10,0`,
    '--log-facility=-',
    // Nobody else to become: in a user namespace there is one user, and one group, that may be had.
    '--user=',
    '--group=',
    '--pid-file=',
    '--dhcp-leasefile=/dev/null',
  ];
}

async function untilAnnouncing(output: AsyncIterable<Buffer>): Promise<void> {
  let seen = '';
  for await (const chunk of output) {
    seen = (seen + chunk.toString('utf8')).slice(-4096);
    if (seen.includes('router advertisement on')) return;
  }
  throw new Error(`dnsmasq ended instead of acting as router: ${seen.trim()}`);
}

/** Starts the router on a bridge and resolves once it announces itself. */
export async function startRouter(options: { readonly bridge: string }): Promise<Router> {
  await runCommand('ip', ['-6', 'addr', 'add', ROUTER_ADDRESS, 'dev', options.bridge, 'nodad']);
  const child = spawn('dnsmasq', routerArguments(options.bridge), { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const late = setTimeout(() => child.kill('SIGKILL'), READY_DEADLINE_MS);
  try {
    await untilAnnouncing(child.stderr.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>);
  } finally {
    clearTimeout(late);
  }
  child.stderr.resume(); // a full pipe would stop dnsmasq at its next log line
  return {
    exited,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
