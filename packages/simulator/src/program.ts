/**
 * The program `lpmos-simulator`: one fleet from power-on to its end, then the result as JSON on stdout. Exit code 0 when every machine
 * runs from its disk and no disk was touched without permission, else 1.
 */
import { runProgram } from '@lpmos/runtime';
import type { Component, Logger, Program, ProgramProcess } from '@lpmos/runtime';
import { SIMULATOR_CONFIG } from './config';
import type { SimulatorConfig } from './config';
import { runFleet } from './fleet';
import type { FleetResult } from './fleet';

const VERSION = '0.1.0';

/** @returns the exit code. */
export async function runSimulator(host: ProgramProcess): Promise<number> {
  const finished = new AbortController();
  let result: FleetResult | undefined;
  const program: Program<typeof SIMULATOR_CONFIG> = {
    name: 'lpmos-simulator',
    version: VERSION,
    summary: 'machines that really speak DHCP, TFTP, HTTP, iPXE script and gRPC',
    examples: ['LPMOS_REGION_ADDRESS=10.77.0.1 LPMOS_MACHINES=20 lpmos-simulator'],
    table: SIMULATOR_CONFIG,
    logLevel: (config) => config.logLevel,
    components: (config, { logger }) => [
      fleetComponent(config, logger, (ended) => {
        result = ended;
        /** The group ends as if asked to: a finished fleet is no failure. */
        finished.abort();
      }),
    ],
  };
  const signal = AbortSignal.any([host.signal, finished.signal]);
  const code = await runProgram(program, { ...host, signal });
  if (code !== 0 || result === undefined) return code;
  host.print(JSON.stringify(summaryOf(result), null, 2));
  const allUp = result.outcomes.every(({ outcome }) => outcome.kind === 'host-up');
  return allUp && result.violations.length === 0 ? 0 : 1;
}

function summaryOf(result: FleetResult): unknown {
  const unfinished = result.outcomes.filter(({ outcome }) => outcome.kind !== 'host-up');
  return {
    outcomes: result.byKind,
    milliseconds_from_power_on: result.statistics,
    violations: result.violations,
    unfinished: unfinished.map(({ mac, outcome }) => ({ mac, kind: outcome.kind, detail: outcome.detail })),
  };
}

function fleetComponent(
  config: SimulatorConfig,
  logger: Logger,
  onEnd: (result: FleetResult) => void,
): Component {
  return {
    name: 'fleet',
    start: (signal) =>
      Promise.resolve({
        done: runFleet({
          machines: config.machines ?? config.macs?.length ?? 1,
          ...(config.macs === undefined ? {} : { macs: config.macs }),
          seed: config.seed,
          network: {
            dhcpServer: { address: config.regionAddress, port: config.dhcpPort },
            clientAddress: config.clientAddress,
            relayPort: config.relayPort,
            tftpPort: config.tftpPort,
          },
          staggerMs: config.staggerMs,
          concurrency: config.concurrency,
          machine: () => ({
            rom: config.rom,
            firmware: config.firmware,
            timeScale: config.timeScalePercent / 100,
            lifeMs: config.lifeMinutes * 60_000,
          }),
          onEvent: (mac, { boot, stage, detail, data }) =>
            logger.info({ mac, boot, stage, ...(data === undefined ? {} : { data }) }, detail),
          signal,
        }).then(onEnd),
      }),
  };
}
