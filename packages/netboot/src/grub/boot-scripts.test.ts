/** The scripts of boot decisions for GRUB: run by a small interpreter of the commands, so that ways are judged and not texts. */
import type { BootDecision } from '@lpmos/core';
import { EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import { grubMachineScript, grubMenu } from './boot-scripts';
import { renderGrubScript } from './script';
import type { GrubCommand, GrubCondition, GrubScript } from './script';

const menu = grubMenu({
  machineScript: { before: '/grub/machine/', behind: '.cfg' },
  retry: { seconds: 15, attempts: 3, jitter: 0.5 },
});
const machineScript = (decision: BootDecision, jitter = 0.5): GrubScript =>
  grubMachineScript(decision, {
    ...{ machine: '52:54:00:00:00:01', region: 'lab', jitter },
    agent: { kernel: '/agent/vmlinuz', initrds: ['/agent/a', '/agent/b'], kernelArguments: [['quiet', '']] },
  });
const AGENT: BootDecision = { kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'r' };
const DISK: BootDecision = { kind: 'local-disk', reason: 'installed' };
const WAIT: BootDecision = { kind: 'wait', retryAfterSeconds: 10, reason: 'no view' };

class Ended extends Error {}

/** @param answers what `source` gives each time; undefined: the server has nothing. @param fails commands that do not work. */
function run(answers: readonly (BootDecision | undefined)[], fails: (command: string) => boolean): string[] {
  const trace: string[] = [];
  const variables = new Map<string, string>();
  let asked = 0;
  const works = (command: GrubCommand): boolean => {
    const text = renderGrubScript([command]).trim();
    if (command.do === 'source') {
      const decision = answers[asked];
      asked += 1;
      trace.push('source');
      if (decision !== undefined) all(machineScript(decision));
      return decision !== undefined;
    }
    if (command.do === 'set') {
      const before = command.append === true ? (variables.get(command.variable) ?? '') : '';
      variables.set(command.variable, before + command.value);
      return true;
    }
    const worked = !fails(text);
    if (command.do !== 'search' || worked) trace.push(worked ? text : `failed: ${text}`);
    if (worked && ['boot', 'reboot', 'configfile'].includes(command.do)) throw new Ended();
    return worked;
  };
  const holds = (condition: GrubCondition): boolean =>
    'works' in condition
      ? works(condition.works)
      : (variables.get(condition.variable) ?? '') === condition.is;
  const all = (script: GrubScript): void => {
    for (const command of script) {
      if (command.do === 'if') all(holds(command.condition) ? command.then : (command.else ?? []));
      else if (command.do === 'while') while (holds(command.condition)) all(command.body);
      else works(command);
    }
  };
  try {
    all(menu);
    trace.push('PROMPT');
  } catch (thrown) {
    if (!(thrown instanceof Ended)) throw thrown;
  }
  return trace.filter((line) => !line.startsWith('echo'));
}

const never = (): boolean => false;
const DEBIAN = "configfile '/EFI/debian/grub.cfg'";

describe('what GRUB does', () => {
  it('boots the agent with both initramfs', () => {
    expect(run([AGENT], never)).toEqual([
      ...['source', "linux '/agent/vmlinuz' 'quiet'", "initrd '/agent/a' '/agent/b'", 'boot'],
    ]);
  });

  it('asks again when the kernel is refused, never loads what follows it, and ends at the disk', () => {
    const trace = run(Array<BootDecision>(9).fill(AGENT), (command) => command.startsWith('linux'));
    expect(trace.filter((line) => line === 'source')).toHaveLength(3);
    expect(trace.join('\n')).not.toMatch(/initrd|^boot/m);
    expect(trace).toContain('sleep --interruptible 15');
    expect(trace.at(-1)).toBe(DEBIAN);
  });

  it('asks as often when nothing answers', () => {
    const trace = run([], never);
    expect(trace.filter((line) => line === 'source')).toHaveLength(3);
    expect(trace.at(-1)).toBe(DEBIAN);
  });

  it('counts failures in a row only: a wait in between begins anew', () => {
    const answers = [undefined, undefined, WAIT, undefined, undefined, AGENT];
    expect(run(answers, never).at(-1)).toBe('boot');
    expect(run([undefined, undefined, undefined, AGENT], never).at(-1)).toBe(DEBIAN);
  });

  it.each([DISK, { kind: 'silent', reason: 'not ours' } as const])(
    'goes to the disk at once: $kind',
    (decision) => {
      expect(run([decision], never)).toEqual([
        ...['source', 'sleep --interruptible 3'],
        ...["search --no-floppy --file --set=root '/EFI/debian/grub.cfg'", DEBIAN],
      ]);
    },
  );

  it('chains the first loader that is there and verified', () => {
    const there = /ubuntu|BOOT/;
    const trace = run([DISK], (command) => command.startsWith('search') && !there.test(command));
    expect(trace.slice(-2)).toEqual(["chainloader '/EFI/ubuntu/shimx64.efi'", 'boot']);
    const unverified = run([DISK], (command) =>
      command.startsWith('search') ? !there.test(command) : command.includes('ubuntu'),
    );
    expect(unverified.slice(-2)).toEqual(["chainloader '/EFI/BOOT/BOOTX64.EFI'", 'boot']);
  });

  it('restarts when no disk boots, and never ends at the prompt', () => {
    const trace = run([DISK], (command) => command.startsWith('search'));
    expect(trace.slice(-2)).toEqual(['sleep --interruptible 60', 'reboot']);
  });
});

describe('what the technician reads', () => {
  it.each<[BootDecision, string]>([
    [AGENT, 'boots: the boot agent, to report'],
    [{ ...AGENT, purpose: 'install' }, 'boots: the boot agent, to install'],
    [DISK, 'boots: the local disk'],
    [WAIT, 'asks again in 10 seconds'],
  ])('%j', (decision, words) => {
    const text = renderGrubScript(machineScript(decision));
    expect(text).toContain("echo 'LPMOS region lab, machine 52:54:00:00:00:01'");
    expect(text).toContain(`echo 'why: ${decision.reason}'`);
    expect(text).toContain(words);
  });

  it('waits of a rack are spread', () => {
    expect(renderGrubScript(machineScript(WAIT, 0))).toContain('sleep --interruptible 3\n');
    expect(renderGrubScript(machineScript(WAIT, 1))).toContain('sleep --interruptible 18\n');
  });
});
