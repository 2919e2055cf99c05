/**
 * The composition root of the boot agent: configuration, hardware, console, session, installation, reboot.
 * Everything of the world comes in through the options, so that a whole life runs in a test. See docs/architecture.md.
 * Invariant: it ends only with a reboot asked for (0), or before it did anything (the other codes).
 */
import { hardwareFailure, configFailure, EXIT } from './exit-codes';
import { readAgentConfig } from './config';
import type { AgentConfig } from './config';
import { bannerLines } from './console/banner';
import { progressLine, progressMark } from './console/progress-line';
import { consoleLines } from './console/text';
import type { HostReader } from './host-reader';
import { DOWNLOAD_RULES } from './install/download';
import type { DownloadRules } from './install/download';
import { reasonOf } from './install/failure';
import { runInstall } from './install/runner';
import type { InstallOutcome, InstallProgress } from './install/runner';
import { probeHardware } from './probe/hardware';
import { createGrpcLink } from './session/connection';
import type { OpenLink } from './session/connection';
import { startSessionLoop } from './session/session-loop';
import type { InstallRun, SessionLoop } from './session/session-loop';
import { newSession } from './session/session-state';

export interface BootAgentOptions {
  readonly reader: HostReader;
  readonly version: string;
  /** The console. */
  readonly write: (text: string) => void;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** Hex, fresh per process. */
  readonly nonce: string;
  readonly downloadRules?: DownloadRules;
  /** How to reach the region; by default gRPC over TLS. */
  readonly openLink?: OpenLink;
}

/** Progress goes to the region when its percentage changes, but not more often than this. */
const PROGRESS_EVERY_MS = 500;
const REBOOT_MS = 30_000;

/** Runs until the machine is to reboot; the number is the exit code. */
export async function runBootAgent(options: BootAgentOptions): Promise<number> {
  const print = (text: string): void => consoleLines(text).forEach((line) => options.write(`${line}\n`));
  const reading = await readAgentConfig(options.reader);
  if ('problems' in reading) {
    configFailure(reading.problems).forEach(print);
    return EXIT.config;
  }
  const { config } = reading;
  const { reader, version } = options;
  let report;
  try {
    report = await probeHardware({ reader, mac: config.mac, nowMs: options.nowMs() });
  } catch (thrown) {
    hardwareFailure(reasonOf(thrown)).forEach(print);
    return EXIT.hardware;
  }
  bannerLines({ version, config, report }).forEach(print);
  const loop = startLoop({ options, config, print });
  loop.feed({ kind: 'hardware', report });
  const reason = await loop.done;
  print(`restarting: ${reason}`);
  await reader.run(['sync'], REBOOT_MS);
  const { code, output } = await reader.run(['reboot', '-f'], REBOOT_MS);
  if (code !== 0) print(`reboot failed (${output}); power-cycle this machine`);
  return EXIT.rebooting;
}

function startLoop(given: {
  readonly options: BootAgentOptions;
  readonly config: AgentConfig;
  readonly print: (text: string) => void;
}): SessionLoop {
  const { options, config, print } = given;
  const { regionId, taskId, mac, ticket, agentAddresses, tlsServerName, caPem } = config;
  const say = (line: string): void => {
    print(line);
    loop.feed({ kind: 'log', lines: [line] });
  };
  const install = async (run: InstallRun): Promise<InstallOutcome> => {
    const outcome = await runInstall({
      ...run,
      taskId,
      mac,
      caPem,
      grantKey: config.grantKey,
      reader: options.reader,
      downloadRules: options.downloadRules ?? DOWNLOAD_RULES,
      nowMs: options.nowMs,
      random: options.random,
      onProgress: thinned({ print, nowMs: options.nowMs, forward: run.onProgress }),
      onTrouble: say,
    });
    say(outcome.kind === 'failed' ? `INSTALLATION FAILED: ${outcome.message}` : outcome.message);
    return outcome;
  };
  // Used only once the region ordered something, so never before it is there.
  const loop: SessionLoop = startSessionLoop({
    initial: newSession(
      { regionId, taskId, mac, ticket, agentVersion: options.version, nonce: options.nonce },
      agentAddresses,
    ),
    openLink: options.openLink ?? createGrpcLink({ tlsServerName, caPem }),
    install,
    say: print,
    nowMs: options.nowMs,
    random: options.random,
  });
  return loop;
}

/** Every block reports; the console gets a line per 5 %, the region a message per 1 % and at most two a second. */
function thinned(sinks: {
  readonly print: (text: string) => void;
  readonly nowMs: () => number;
  readonly forward: (progress: InstallProgress) => void;
}): (progress: InstallProgress) => void {
  let mark = '';
  let last: { key: string; phase: string; atMs: number } | undefined;
  return (progress) => {
    const { phase, percent, message } = progress;
    const due = progressMark(progress);
    if (due !== mark) sinks.print(progressLine(progress));
    mark = due;
    const key = `${phase} ${percent} ${message}`;
    const atMs = sinks.nowMs();
    const soon = last !== undefined && Math.abs(atMs - last.atMs) < PROGRESS_EVERY_MS;
    if (key === last?.key || (soon && phase === last?.phase && percent < 100)) return;
    last = { key, phase, atMs };
    sinks.forward(progress);
  };
}
