/**
 * The links that the daemon serves at the moment and how they change: checked before the start, changed by a reload, and what went wrong with
 * the last reload, for people. The shell around check-links.ts and reload.ts.
 * Invariant: a configuration with any problem changes nothing.
 */
import { ConfigError, fileKey } from '@lpmos/runtime';
import type { Logger, Metrics, OnReload, Reread } from '@lpmos/runtime';
import type { FieldProblem } from '@lpmos/core';
import { LpmosError } from '@lpmos/core';
import { secretFileProblem } from '../boot/secrets';
import type { RegionalDaemonConfig } from '../config';
import { REGIONAL_DAEMON_CONFIG } from '../config';
import { checkLinkHost, checkLinkSettings } from './check-links';
import type { DaemonLink } from './daemon-links';
import { daemonLinks, hasPartner } from './daemon-links';
import { readHostFacts } from './host-facts';
import { siteKeyProblems } from '../site-keys';
import { planReload } from './reload';
import type { PassedSocket } from './sockets';

export interface LiveLinks {
  now(): readonly DaemonLink[];
  /** What is wrong with the configuration as it stands in the file. */
  problems(): readonly string[];
}

/**
 * @param bootFiles reads the files that links advertise
 * @throws ConfigError with every problem of the site's keys, of the links on this host and of those files, before anything is opened
 */
export async function checkLinks(
  config: RegionalDaemonConfig,
  passed: readonly PassedSocket[],
  bootFiles: (links: readonly DaemonLink[]) => Promise<unknown>,
): Promise<readonly DaemonLink[]> {
  const { serviceAddress } = config;
  const links = daemonLinks(config.links ?? [], config);
  const host = await readHostFacts({
    ...{ links, serviceAddress, passed },
    ports: {
      tftp: config.tftpPort,
      http: config.httpPort,
      agentApi: config.agentApiPort,
      agentGrpc: config.agentGrpcPort,
    },
  });
  const problems = [
    ...checkPartner(config, links),
    ...checkLinkSettings(links),
    ...checkLinkHost(links, serviceAddress, host),
  ];
  const texts = [
    ...siteKeyProblems(config),
    ...problems.map(worded),
    ...(await problemsOf(bootFiles(links))),
  ];
  if (texts.length > 0) throw new ConfigError(texts);
  return links;
}

/** What the two daemons of a region must have in common. */
function checkPartner(
  { serviceAddress, partnerAddress, secretFile }: RegionalDaemonConfig,
  links: readonly DaemonLink[],
): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (partnerAddress === serviceAddress) {
    const problem = `${serviceAddress} is that of this daemon; name the address of the other one`;
    problems.push({ path: 'partner_address', problem });
  }
  const secret =
    secretFile === undefined
      ? hasPartner(links, { partnerAddress }) &&
        'is required beside partner_address, so that either daemon knows the agents of the other'
      : secretFileProblem(secretFile);
  if (typeof secret === 'string') problems.push({ path: 'region_secret_file', problem: secret });
  return problems;
}

/** What a reader of files says is wrong with them; other faults pass. */
async function problemsOf(reading: Promise<unknown>): Promise<readonly string[]> {
  try {
    await reading;
    return [];
  } catch (thrown) {
    if (thrown instanceof LpmosError && thrown.code === 'invalid_argument') return [thrown.message];
    throw thrown;
  }
}

export interface LiveLinksOptions {
  readonly config: RegionalDaemonConfig;
  readonly links: readonly DaemonLink[];
  readonly onReload: OnReload<RegionalDaemonConfig>;
  /** Serves the links with other settings. @throws LpmosError; then nothing has changed */
  readonly apply: (links: readonly DaemonLink[]) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export function createLiveLinks(options: LiveLinksOptions): LiveLinks {
  const { config, logger } = options;
  let links = options.links;
  let problems: readonly string[] = [];
  const count = options.metrics.counter(
    'lpmos_region_config_reloads_total',
    'Reloads of the configuration by outcome',
    ['outcome'],
  );
  const isGood = options.metrics.gauge(
    'lpmos_region_config_last_reload_good',
    '0 while the configuration file is wrong and the last good one is served',
  );
  isGood.set(1);

  const refuse = (found: readonly string[]): void => {
    problems = found.map(
      (problem) => `the configuration was not reloaded, the last good one stays: ${problem}`,
    );
    isGood.set(0);
    count.inc({ outcome: 'refused' });
    logger.error({ problems: found }, 'reload refused; the last good configuration stays');
  };
  const reload = (read: Reread<RegionalDaemonConfig>): void => {
    if ('problems' in read) return refuse(read.problems);
    const next = read.config;
    const wrong = checkLinkSettings(daemonLinks(next.links ?? [], config));
    if (wrong.length > 0) return refuse(wrong.map(worded));
    const plan = planReload({
      ...{ links, own: config, nextLinks: next.links ?? [] },
      settings: withoutLinks(config),
      nextSettings: withoutLinks(next),
    });
    try {
      if (plan.links !== undefined) options.apply(plan.links);
    } catch (thrown) {
      return refuse([LpmosError.from(thrown).message]);
    }
    links = plan.links ?? links;
    problems = [];
    isGood.set(1);
    count.inc({ outcome: plan.changed.length > 0 ? 'changed' : 'unchanged' });
    const { changed, needRestart } = plan;
    if (needRestart.length > 0)
      logger.warn({ need_restart: needRestart }, 'these settings wait for a restart');
    logger.info({ changed }, changed.length > 0 ? 'configuration reloaded' : 'nothing to change live');
  };
  options.onReload(reload);
  return { now: () => links, problems: () => problems };
}

/** By their names in the file, without the links, which have their own comparison. */
function withoutLinks(config: RegionalDaemonConfig): Readonly<Record<string, unknown>> {
  const fields = Object.entries(REGIONAL_DAEMON_CONFIG).filter(([key]) => key !== 'links');
  return Object.fromEntries(
    fields.map(([key, field]) => [fileKey(field), config[key as keyof RegionalDaemonConfig]]),
  );
}

function worded({ path, problem }: FieldProblem): string {
  return `${path} ${problem}`;
}
