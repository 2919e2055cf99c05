/**
 * From a boot decision to what GRUB runs: pure. Two scripts, because GRUB asks for one fixed name first: `grubMenu` fetches the machine's
 * own script by its MAC address, and again when that failed or was told to wait, at most N times, then boots the local disk;
 * `grubMachineScript` says who the machine is, what it boots and why, does it, and leaves its result in a variable.
 * GRUB has no arithmetic: failures are counted as the length of a string.
 * Invariant: no path ends at GRUB's prompt, where a machine would wait for a keyboard for ever.
 */
import type { BootDecision } from '@lpmos/core';
import { jittered } from '../ipxe/boot-scripts';
import type { GrubCommand, GrubKernelArgument, GrubScript, GrubWord } from './script';

export interface GrubMenuFacts {
  /** Name of a machine's script, from what stands before its MAC address and behind it. */
  readonly machineScript: { readonly before: string; readonly behind: string };
  readonly retry: {
    readonly seconds: number;
    readonly attempts: number;
    /** 0 to 1, fresh for each request. */
    readonly jitter: number;
  };
}

export interface GrubMachineFacts {
  /** How the console names the machine and the region. */
  readonly machine: string;
  readonly region: string;
  /** 0 to 1, fresh for each request. */
  readonly jitter: number;
  readonly agent: {
    readonly kernel: GrubWord;
    readonly initrds: readonly GrubWord[];
    readonly kernelArguments: readonly GrubKernelArgument[];
  };
}

/** What the machine's script left behind; a script that did not come or did not work leaves `failed`. */
const RESULT = 'lpmos_result';
const FAILURES = 'lpmos_failures';
const FAILURE = 'x';
/** The firmware has told GRUB who it is; `net_default_mac` is of the card that booted. */
const OWN_MAC = { variable: 'net_default_mac' };
/** A technician reads the lines before the next program wipes the screen. */
const READING_SECONDS = 3;
/** A machine without a system asks anew, from power-on, at this pace. */
const NOTHING_BOOTS_SECONDS = 60;

export function grubMenu(facts: GrubMenuFacts): GrubScript {
  const { machineScript, retry } = facts;
  const wait = jittered(retry.seconds, retry.jitter);
  const file: GrubWord = [machineScript.before, OWN_MAC, machineScript.behind];
  const failed: GrubScript = [
    { do: 'set', variable: FAILURES, value: FAILURE, append: true },
    {
      do: 'if',
      condition: { variable: FAILURES, is: FAILURE.repeat(retry.attempts) },
      then: [
        say(`failed ${retry.attempts} times. boots: the local disk`),
        { do: 'set', variable: RESULT, value: 'disk' },
      ],
      else: [
        say(`that failed: asks again in ${wait} seconds, ${retry.attempts} times at most`),
        { do: 'sleep', seconds: wait },
        { do: 'set', variable: RESULT, value: 'ask' },
      ],
    },
  ];
  const ask: GrubScript = [
    { do: 'set', variable: RESULT, value: 'failed' },
    { do: 'source', file },
    { do: 'if', condition: { variable: RESULT, is: 'failed' }, then: failed },
  ];
  return [
    { do: 'set', variable: FAILURES, value: '' },
    { do: 'set', variable: RESULT, value: 'ask' },
    { do: 'while', condition: { variable: RESULT, is: 'ask' }, body: ask },
    ...diskSteps(),
  ];
}

export function grubMachineScript(decision: BootDecision, facts: GrubMachineFacts): GrubScript {
  const head = [
    say(`LPMOS region ${facts.region}, machine ${facts.machine}`),
    say(`why: ${decision.reason}`),
  ];
  switch (decision.kind) {
    case 'agent': {
      const what = decision.purpose === 'install' ? 'to install' : 'to report';
      return [...head, say(`boots: the boot agent, ${what}`), ...agentSteps(facts.agent)];
    }
    case 'local-disk':
      return [...head, say('boots: the local disk'), toDisk()];
    case 'silent':
      return [...head, say('boots: the local disk, because LPMOS does not manage this machine'), toDisk()];
    case 'wait':
      return [...head, ...waitSteps(jittered(decision.retryAfterSeconds, facts.jitter))];
  }
}

function say(text: string): GrubCommand {
  return { do: 'echo', text };
}

function toDisk(): GrubCommand {
  return { do: 'set', variable: RESULT, value: 'disk' };
}

/** With Secure Boot `linux` verifies the kernel's signature and fails on a changed one; the next file is then not even asked for. */
function agentSteps(agent: GrubMachineFacts['agent']): GrubScript {
  const initrd: GrubCommand = {
    do: 'if',
    condition: { works: { do: 'initrd', files: agent.initrds } },
    then: [{ do: 'boot' }],
  };
  return [
    {
      do: 'if',
      condition: { works: { do: 'linux', file: agent.kernel, arguments: agent.kernelArguments } },
      then: [initrd],
      else: [
        say(
          'the kernel was not loaded: it did not come, or it is not signed by a key that this machine trusts',
        ),
      ],
    },
  ];
}

/** Told to wait, nothing has failed: the count starts anew, and the region decides again at each ask. */
function waitSteps(seconds: number): GrubScript {
  return [
    say(`asks again in ${seconds} seconds`),
    { do: 'sleep', seconds },
    { do: 'set', variable: FAILURES, value: '' },
    { do: 'set', variable: RESULT, value: 'ask' },
  ];
}

/**
 * Where an installed system may lie, in this order. `exit` is no way to the disk: Debian's GRUB then ends in the setup menu of EDK2.
 * Debian's own menu first, read by this GRUB, which is the same one; of others the first loader, which shim verifies.
 * shim comes before a bare loader, because only shim knows the keys of its distribution.
 */
const LOCAL_SYSTEMS: readonly { readonly do: 'configfile' | 'chainloader'; readonly file: string }[] = [
  { do: 'configfile', file: '/EFI/debian/grub.cfg' },
  { do: 'chainloader', file: '/EFI/ubuntu/shimx64.efi' },
  { do: 'chainloader', file: '/EFI/redhat/shimx64.efi' },
  { do: 'chainloader', file: '/EFI/rocky/shimx64.efi' },
  { do: 'chainloader', file: '/EFI/almalinux/shimx64.efi' },
  { do: 'chainloader', file: '/EFI/centos/shimx64.efi' },
  { do: 'chainloader', file: '/EFI/Microsoft/Boot/bootmgfw.efi' },
  { do: 'chainloader', file: '/EFI/BOOT/BOOTX64.EFI' },
];

function diskSteps(): GrubScript {
  const systems = LOCAL_SYSTEMS.map((system): GrubCommand => {
    const start: GrubScript =
      system.do === 'configfile'
        ? [system]
        : [{ do: 'if', condition: { works: system }, then: [{ do: 'boot' }] }];
    return { do: 'if', condition: { works: { do: 'search', file: system.file } }, then: start };
  });
  return [
    { do: 'sleep', seconds: READING_SECONDS },
    ...systems,
    say(`no system on a local disk boots: restarts in ${NOTHING_BOOTS_SECONDS} seconds`),
    { do: 'sleep', seconds: NOTHING_BOOTS_SECONDS },
    { do: 'reboot' },
  ];
}
