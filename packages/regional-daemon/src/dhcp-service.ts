/**
 * DHCP of the region's links: one server for each, joined in a group so that relays may choose among them, with its journal of leases, so that
 * a restarted daemon knows what it gave, and with the copies by which one that takes over knows it. Opened once this daemon leads; what is
 * answered is netboot's business, which sockets links/sockets.ts.
 * Invariant: all links start or none does.
 */
import { join } from 'node:path';
import { LpmosError } from '@lpmos/core';
import type { Clock, MacAddress } from '@lpmos/core';
import {
  createDhcpServer,
  createLinkGroup,
  mergedLeases,
  openLeaseJournal,
  parseDhcpLink,
} from '@lpmos/netboot';
import type {
  BootDecider,
  BootEventListener,
  DhcpLink,
  DhcpServer,
  Lease,
  LeaseJournal,
  LinkGroup,
} from '@lpmos/netboot';
import type { Logger } from '@lpmos/runtime';
import { advertisedScriptUrl } from './boot/agent-scripts';
import { loaderUrls } from './boot/loaders';
import type { Loaders } from './boot/loaders';
import type { DaemonLink } from './links/daemon-links';
import { dhcpLinkOf, doesDhcp } from './links/daemon-links';
import type { LeaseCopier } from './leases/lease-copier';
import type { LinkPorts } from './links/open-sockets';
import { openLinkPorts } from './links/open-sockets';
import { createRouterNotices } from './links/router-notices';
import type { RouterNotices } from './links/router-notices';
import type { PassedSocket } from './links/sockets';

export interface DhcpServiceOptions {
  /** Those that are left to others are passed over. */
  readonly links: readonly DaemonLink[];
  readonly passed: readonly PassedSocket[];
  readonly stateDir: string;
  readonly loaders: Loaders;
  readonly decider: BootDecider;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEvent: BootEventListener;
  readonly onFailure: (link: DaemonLink, error: Error) => void;
  /** Where boot scripts are, on one of our addresses: `http://10.77.0.1`. */
  readonly baseUrl: (address: string) => string;
  /** What the region's other daemon must know of leases, and what it has left us. */
  readonly copies: Pick<LeaseCopier, 'read' | 'hear'>;
  /** Whether this daemon leads its region at this moment. */
  readonly leads: () => boolean;
}

export interface DhcpService {
  /**
   * @param stoodBy whether another daemon served the links until now
   * @returns the bound port of the first link
   */
  start(stoodBy?: boolean): Promise<number>;
  /** Whether a peer is a machine of a link; nobody is before the start. */
  knows(address: string): boolean;
  /** Who holds an address of a link. */
  machineAt(address: string): MacAddress | undefined;
  /** Goes on with other settings of the same links. @throws LpmosError `invalid_argument`; then nothing has changed */
  reconfigure(links: readonly DaemonLink[]): void;
  /** What waits of the journals is written. */
  stop(): Promise<void>;
}

interface Running {
  readonly name: string;
  readonly server: DhcpServer;
  readonly journal: LeaseJournal;
}

export function createDhcpService(options: DhcpServiceOptions): DhcpService {
  let links = options.links.filter(doesDhcp);
  const group = createLinkGroup();
  const notices = createRouterNotices({ links, logger: options.logger });
  const stopping = new AbortController();
  let running: readonly Running[] = [];
  const stop = async (): Promise<void> => {
    stopping.abort();
    const ending = running;
    running = [];
    await Promise.all(ending.map(({ server }) => server.stop()));
    await Promise.all(ending.map(({ journal }) => journal.close()));
    await notices.stop();
  };
  return {
    async start(stoodBy = false) {
      const copied = await options.copies.read(stopping.signal);
      // Ended while it waited for the store: there is nothing to open any more.
      if (stopping.signal.aborted) return 0;
      const opened = links;
      const ports = await openLinkPorts(opened, { passed: options.passed, stoodBy });
      let first: number | undefined;
      try {
        await notices.start();
        for (const [index, link] of opened.entries()) {
          const journal = await openJournal(options, link);
          // A reload meanwhile may have changed the settings, and nothing that sockets and journal hang on.
          const now = links[index] ?? link;
          const leases = mergedLeases(journal.leases, copied.get(link.settings.name) ?? []);
          for (const lease of leases) options.copies.hear(link.settings.name, lease);
          const one = serverOf(options, {
            link: now,
            ports: ports.of(link),
            group,
            journal,
            leases,
            notices,
          });
          running = [...running, one];
          const bound = await one.server.start();
          first ??= bound.port;
        }
      } catch (thrown) {
        await stop();
        ports.closeAll();
        throw thrown;
      }
      return first ?? 0;
    },
    knows: (address) => running.some(({ server }) => server.knows(address)),
    machineAt: (address) => firstOf(running, ({ server }) => server.holderOf(address)),
    reconfigure(next) {
      const wanted = next
        .filter(doesDhcp)
        .map((link) => ({ link, words: dhcpLink(options, link, options.loaders) }));
      // A table of leases is built anew for its new plan: only where there is one.
      const changed = wanted.filter(({ link }) => !links.some((now) => isSame(now, link)));
      links = wanted.map(({ link }) => link);
      for (const { words } of changed) {
        running.find(({ name }) => name === words.name)?.server.reconfigure(words);
      }
    },
    stop,
  };
}

function isSame(one: DaemonLink, other: DaemonLink): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function openJournal(
  { stateDir, logger }: DhcpServiceOptions,
  { settings: { name } }: DaemonLink,
): Promise<LeaseJournal> {
  return openLeaseJournal({
    dir: join(stateDir, 'leases'),
    linkName: name,
    onProblem: (problem) => logger.warn({ ...problem, link: name }, 'journal of leases'),
  });
}

interface ServerParts {
  readonly link: DaemonLink;
  readonly ports: ReturnType<LinkPorts['of']>;
  readonly group: LinkGroup;
  readonly journal: LeaseJournal;
  /** What the journal and the copies know. */
  readonly leases: readonly Lease[];
  readonly notices: RouterNotices;
}

function serverOf(
  options: DhcpServiceOptions,
  { link, ports, group, journal, leases, notices }: ServerParts,
): Running {
  const { name } = link.settings;
  const server = createDhcpServer({
    ...options,
    onEvent: notices.after(link, options.onEvent),
    onFailure: (error) => options.onFailure(link, error),
    link: dhcpLink(options, link, options.loaders),
    group,
    ...(ports.dhcp === undefined ? {} : { open: ports.dhcp }),
    ...(ports['boot-server'] === undefined ? {} : { openBootServer: ports['boot-server'] }),
    ...(ports['client-port'] === undefined ? {} : { openClientPort: ports['client-port'] }),
    initialLeases: leases,
    onLease: (lease) => {
      journal.append(lease);
      options.copies.hear(name, lease);
    },
  });
  return { name, server, journal };
}

/** The operator's words plus what the daemon knows itself. @throws LpmosError `invalid_argument` with every problem. */
function dhcpLink(options: DhcpServiceOptions, link: DaemonLink, loaders: Loaders): DhcpLink {
  const baseUrl = options.baseUrl(link.serviceAddress);
  const { names, httpNames } = loaders.offered(link.settings.uefi_chain);
  const checked = parseDhcpLink(
    dhcpLinkOf(link, {
      loaders: names,
      httpLoaders: loaderUrls(httpNames, baseUrl),
      scriptUrl: advertisedScriptUrl(baseUrl),
    }),
  );
  if (checked.kind === 'link') return checked.link;
  throw new LpmosError({
    code: 'invalid_argument',
    message: `LPMOS_DHCP_LINKS: ${checked.problems.map(({ path, problem }) => `${link.path}.${path} ${problem}`).join('; ')}`,
    fields: checked.problems,
  });
}

function firstOf<T, R>(list: readonly T[], ask: (one: T) => R | undefined): R | undefined {
  for (const one of list) {
    const answer = ask(one);
    if (answer !== undefined) return answer;
  }
  return undefined;
}
