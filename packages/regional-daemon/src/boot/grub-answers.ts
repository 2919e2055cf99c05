/**
 * What GRUB is given under which name, by TFTP and by HTTP: its menu, the script of one machine with the decision of the moment, and by TFTP
 * the agent's files. The same decider and the same kernel arguments as for iPXE (agent-boot.ts).
 * A machine's script holds a ticket for its task, so it is given to that machine only: who holds the lease of the asking address is known.
 */
import { readMacAddress } from '@lpmos/core';
import type { MacAddress } from '@lpmos/core';
import { claimProblem, grubMachineScript, grubMenu, holdBack, renderGrubScript } from '@lpmos/netboot';
import type { BootDecider, FileFinder, FoundFile } from '@lpmos/netboot';
import { AGENT_RETRY, agentKernelArguments } from './agent-boot';
import type { AgentBootOptions } from './agent-boot';
import { AGENT_FOLDER, INITRAMFS_FILE, KERNEL_FILE, SITE_FILE } from './boot-files';
import type { GrubTransfer } from './grub-files';
import type { SharedFiles } from './shared-files';

export interface GrubAnswersOptions extends AgentBootOptions {
  readonly decider: BootDecider;
  /** The agent's files; one for all addresses that the region answers on. */
  readonly agentFiles: SharedFiles;
  readonly transfer: GrubTransfer;
  /** `http://10.77.0.1`, without a slash at the end. */
  readonly baseUrl: () => string;
  /** Whose lease an address is; undefined where another server leases, and then anybody may ask for any machine. */
  readonly holderOf: (address: string) => MacAddress | undefined;
  /** Running transfers; while there are many, machines that would load the agent are told to wait. */
  readonly activeDownloads: () => number;
}

export interface GrubAnswers {
  /** Scripts: what both TFTP and HTTP have. */
  readonly scripts: FileFinder;
  /** Scripts and, under `agent/`, the files that they name: what TFTP has. */
  readonly files: FileFinder;
}

/** TFTP is lock-step and each machine loads for ten seconds; beyond this GRUB's patience ends before its turn comes. */
const BUSY_DOWNLOADS = 256;

/** GRUB's own: it asks for this first, by TFTP and by HTTP, wherever it was loaded from. */
const MENU = 'grub/grub.cfg';
const MACHINE = { before: 'grub/machine/', behind: '.cfg' };

export function createGrubAnswers(options: GrubAnswersOptions): GrubAnswers {
  const scripts: FileFinder = (asked, address) => {
    const name = asked.toLowerCase();
    if (name === MENU) return Promise.resolve({ bytes: menu() });
    const mac = machineOf(name);
    return mac === undefined ? undefined : Promise.resolve(machineScript(options, mac, address));
  };
  return {
    scripts,
    files: (asked, address) => {
      const found = scripts(asked, address);
      if (found !== undefined || !AGENT_FILES.has(asked)) return found;
      return options.agentFiles
        .read(asked)
        .then((bytes) => (bytes === undefined ? { refused: NOT_THERE } : { bytes }));
    },
  };
}

const NOT_THERE = 'the ramdisk has no such file yet; build it into LPMOS_RAMDISK_DIR';
const AGENT_FILES: ReadonlySet<string> = new Set(
  [KERNEL_FILE, INITRAMFS_FILE, SITE_FILE].map((file) => `${AGENT_FOLDER}/${file}`),
);

function menu(): Uint8Array {
  const machineScriptName = { before: `/${MACHINE.before}`, behind: MACHINE.behind };
  const retry = { ...AGENT_RETRY, jitter: Math.random() };
  return bytesOf(renderGrubScript(grubMenu({ machineScript: machineScriptName, retry })));
}

function machineOf(name: string): MacAddress | undefined {
  if (!name.startsWith(MACHINE.before) || !name.endsWith(MACHINE.behind)) return undefined;
  return readMacAddress(name.slice(MACHINE.before.length, -MACHINE.behind.length));
}

function machineScript(options: GrubAnswersOptions, mac: MacAddress, address: string): FoundFile {
  const holder = options.holderOf(address);
  const problem = claimProblem(mac, holder);
  if (problem !== undefined) {
    return { refused: problem, ...(holder === undefined ? {} : { about: { mac: holder } }) };
  }
  try {
    return decidedScript(options, mac);
  } catch (error) {
    // A value that no script may carry, or a fault of ours: the menu asks again and in the end boots the disk.
    const reason = error instanceof Error ? error.message : 'unknown fault';
    return { refused: `no script could be made: ${reason}`, about: { mac } };
  }
}

function decidedScript(options: GrubAnswersOptions, mac: MacAddress): FoundFile {
  const decision = holdBack(options.decider.decide(mac), {
    activeDownloads: options.activeDownloads(),
    busyDownloads: BUSY_DOWNLOADS,
  });
  const script = grubMachineScript(decision, {
    ...{ machine: mac, region: options.regionId, jitter: Math.random() },
    agent: {
      ...grubAgentFiles({ transfer: options.transfer, baseUrl: options.baseUrl() }),
      kernelArguments: agentKernelArguments(options, { mac, decision }),
    },
  });
  return { bytes: bytesOf(renderGrubScript(script)), about: { mac, decision } };
}

/** The agent's files as a script names them. A name without a device is on the server that GRUB came from. */
export function grubAgentFiles({
  transfer,
  baseUrl,
}: {
  readonly transfer: GrubTransfer;
  readonly baseUrl: string;
}): {
  readonly kernel: string;
  readonly initrds: readonly string[];
} {
  const place =
    transfer === 'tftp' ? `/${AGENT_FOLDER}` : `(http,${new URL(baseUrl).host})/boot/assets/${AGENT_FOLDER}`;
  return {
    kernel: `${place}/${KERNEL_FILE}`,
    initrds: [`${place}/${INITRAMFS_FILE}`, `${place}/${SITE_FILE}`],
  };
}

/**
 * GRUB asks HEAD first and believes its length when it reads the answer to GET, which is rendered anew: so scripts of all kinds have one
 * length. Line ends behind a script are nothing.
 */
const SCRIPT_BYTES = 4096;

function bytesOf(script: string): Uint8Array {
  const length = Math.ceil(script.length / SCRIPT_BYTES) * SCRIPT_BYTES;
  return Buffer.from(script.padEnd(length, '\n'), 'latin1');
}
