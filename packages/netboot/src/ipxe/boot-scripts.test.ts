/** The scripts of all decisions: golden text, and run by the interpreter through success, failure and both platforms. */
import { EXIT_METHODS, type BootDecision, type ExitMethod, type TaskId } from '@lpmos/core';
import { bootScript, jittered, problemScript, type BootScriptFacts } from './boot-scripts';
import { runIpxeScript, type IpxeAction, type IpxeEnd } from './interpret';
import { renderIpxeScript } from './script';

const AGENT: BootDecision = {
  kind: 'agent',
  purpose: 'report',
  taskId: 'T' as TaskId,
  reason: 'task T is ready: the agent is to report the hardware',
};
const FACTS: BootScriptFacts = {
  machine: '52:54:00:12:34:56',
  region: 'lab',
  retry: {
    url: 'http://10.0.0.1/boot/menu.ipxe?mac=52-54-00-12-34-56',
    seconds: 10,
    attempts: 3,
    jitter: 0.5,
  },
  agent: {
    kernelUrl: 'http://10.0.0.1/boot/assets/vmlinuz',
    initrdUrls: ['http://10.0.0.1/boot/assets/ramdisk', 'http://10.0.0.1/boot/assets/site'],
    kernelArguments: [
      ['console', 'ttyS0,115200'],
      ['quiet', ''],
      ['lpmos.task', 'T'],
    ],
  },
};

/** Runs a script; `succeeds` answers each action that can fail. */
function run(script: string, platform: string, succeeds: (action: IpxeAction) => boolean = () => true) {
  const settings = new Map([['platform', platform]]);
  const actions: IpxeAction[] = [];
  const running = runIpxeScript(script, settings);
  let turn: IteratorResult<IpxeAction, IpxeEnd> = running.next();
  while (turn.done !== true) {
    actions.push(turn.value);
    turn = running.next(succeeds(turn.value));
  }
  return { actions, end: turn.value, settings, kinds: actions.map((action) => action.do) };
}
const quiet = (kinds: readonly string[]) => kinds.filter((kind) => kind !== 'echo' && kind !== 'imgfree');
const render = (decision: BootDecision, facts = FACTS) => renderIpxeScript(bootScript(decision, facts));

describe('the script of an agent boot', () => {
  it('is exactly this', () => {
    expect(render(AGENT)).toBe(`#!ipxe
echo
echo LPMOS region lab, machine 52:54:00:12:34:56
echo why: task T is ready: the agent is to report the hardware
echo boots: the boot agent, to report
isset \${lpmos-attempts:int32} && goto load ||
set lpmos-attempts:int32 0 ||
:load
imgfree ||
kernel http://10.0.0.1/boot/assets/vmlinuz initrd=initrd0.img initrd=initrd1.img console=ttyS0,115200 quiet lpmos.task=T || goto fail
initrd --name initrd0.img http://10.0.0.1/boot/assets/ramdisk || goto fail
initrd --name initrd1.img http://10.0.0.1/boot/assets/site || goto fail
boot || goto fail
:fail
inc lpmos-attempts:int32 ||
iseq \${lpmos-attempts:int32} 3 && goto give_up ||
echo that failed \${lpmos-attempts:int32} times of 3: asks again in 10 seconds
sleep 10 ||
imgfree ||
chain --autofree --replace http://10.0.0.1/boot/menu.ipxe?mac=52-54-00-12-34-56 || goto fail
:give_up
echo failed 3 times. boots: the local disk
clear lpmos-attempts:int32 ||
imgfree ||
sleep 3 ||
iseq \${platform} efi && goto efi_disk ||
sanboot --no-describe --drive 0x80 ||
exit 0
:efi_disk
exit 1
`);
  });

  it('loads kernel and both initrds and boots', () => {
    const { actions, kinds } = run(render(AGENT), 'efi', (action) => action.do !== 'boot');
    expect(quiet(kinds).slice(0, 4)).toEqual(['kernel', 'initrd', 'initrd', 'boot']);
    expect(actions).toContainEqual({
      do: 'initrd',
      name: 'initrd1.img',
      url: 'http://10.0.0.1/boot/assets/site',
    });
  });

  it('asks again after a failure, and after the last one boots the disk', () => {
    const failing = run(render(AGENT), 'pcbios', (action) => !['kernel', 'chain'].includes(action.do));
    expect(quiet(failing.kinds)).toEqual(['kernel', 'sleep', 'chain', 'sleep', 'chain', 'sleep', 'sanboot']);
    expect(failing.end).toEqual({ kind: 'exit', status: 0 });
  });

  it('counts failures of a chained script on from where the last one stopped', () => {
    const settings = new Map([
      ['platform', 'efi'],
      ['lpmos-attempts', '2'],
    ]);
    const running = runIpxeScript(render(AGENT), settings);
    const seen: string[] = [];
    let turn = running.next();
    while (turn.done !== true) {
      seen.push(turn.value.do);
      turn = running.next(turn.value.do !== 'kernel');
    }
    expect(quiet(seen)).toEqual(['kernel', 'sleep']);
    expect(turn.value).toEqual({ kind: 'exit', status: 1 });
  });
});

describe('the scripts of the other decisions', () => {
  const disk: BootDecision = { kind: 'local-disk', reason: 'the machine is installed' };
  it.each([
    ['BIOS', 'pcbios', ['sleep', 'sanboot'], 0],
    ['UEFI', 'efi', ['sleep'], 1],
  ])('boot the local disk on %s', (_name, platform, kinds, status) => {
    const result = run(render(disk), platform);
    expect(quiet(result.kinds)).toEqual(kinds);
    expect(result.end).toEqual({ kind: 'exit', status });
  });

  it('take the exit method of the machine', () => {
    const leaves = (exitMethod: ExitMethod, platform: string) => {
      const script = render({ ...disk, exitMethod });
      const { actions, end } = run(script, platform, (action) => action.do !== 'sanboot');
      return [actions.flatMap((action) => (action.do === 'sanboot' ? [action.drive] : [])), end.status];
    };
    const ways = EXIT_METHODS.map((method) => [method, leaves(method, 'pcbios'), leaves(method, 'efi')]);
    expect(ways).toEqual([
      ['sanboot', [[0x80], 0], [[0], 1]],
      ['sanboot-second', [[0x81], 0], [[1], 1]],
      ['exit-0', [[], 0], [[], 0]],
      ['exit-1', [[], 1], [[], 1]],
      ['silent', [[0x80], 0], [[], 1]],
    ]);
  });

  it('end at the disk of the machine by the same method when the agent cannot be loaded', () => {
    const agent: BootDecision = { ...AGENT, exitMethod: 'exit-0' };
    const failing = run(render(agent), 'efi', (action) => !['kernel', 'chain'].includes(action.do));
    expect(failing.end).toEqual({ kind: 'exit', status: 0 });
  });

  it('wait and ask again, with the count of failures set back', () => {
    const wait: BootDecision = { kind: 'wait', retryAfterSeconds: 5, reason: 'the region prepares it' };
    const { actions, settings } = run(render(wait), 'efi', (action) => action.do !== 'chain');
    expect(actions).toContainEqual({ do: 'sleep', seconds: 5 });
    expect(actions).toContainEqual({ do: 'chain', url: FACTS.retry.url });
    expect(settings.get('lpmos-attempts')).toBeUndefined();
  });

  it('leave a machine that is not ours to its disk and say so', () => {
    const { actions } = run(render({ kind: 'silent', reason: 'no task names this machine' }), 'pcbios');
    const text = actions.flatMap((action) => (action.do === 'echo' ? [action.text] : []));
    expect(text).toContain('why: no task names this machine');
    expect(text).toContain('boots: the local disk, because LPMOS does not manage this machine');
  });

  it('tell a problem and boot the disk', () => {
    const script = renderIpxeScript(problemScript('"mac" is ${x}\nboot, which is none'));
    const { actions, end } = run(script, 'efi');
    expect(actions).toContainEqual({ do: 'echo', text: '?mac? is ??x? boot, which is none' });
    expect(end).toEqual({ kind: 'exit', status: 1 });
  });
});

describe('the script of a region with two daemons', () => {
  const partnerUrl = 'http://10.0.0.2/boot/menu.ipxe?mac=52-54-00-12-34-56';
  const beside = { ...FACTS, retry: { ...FACTS.retry, partnerUrl } };
  const chains = (actions: readonly IpxeAction[]) =>
    actions.flatMap((action) => (action.do === 'chain' ? [action.url] : []));

  it('asks the other daemon when its own gives nothing any more', () => {
    const ownIsDead = (action: IpxeAction) =>
      action.do !== 'kernel' && !('url' in action && action.url === FACTS.retry.url);
    expect(chains(run(render(AGENT, beside), 'efi', ownIsDead).actions)).toEqual([
      FACTS.retry.url,
      partnerUrl,
    ]);
  });

  it('asks the other daemon first when its own cannot know', () => {
    const wait: BootDecision = { kind: 'wait', retryAfterSeconds: 5, elsewhere: true, reason: 'r' };
    const asked = chains(run(render(wait, beside), 'efi', (action) => action.do !== 'chain').actions);
    expect(asked.slice(0, 3)).toEqual([partnerUrl, FACTS.retry.url, partnerUrl]);
    expect(chains(run(render(wait), 'efi').actions)[0]).toBe(FACTS.retry.url);
  });

  it('asks its own daemon first, and the disk after as many failures of both', () => {
    const { actions, end } = run(
      render(AGENT, beside),
      'efi',
      ({ do: kind }) => !['kernel', 'chain'].includes(kind),
    );
    expect(chains(actions)).toEqual([FACTS.retry.url, partnerUrl, FACTS.retry.url, partnerUrl]);
    expect(end).toEqual({ kind: 'exit', status: 1 });
  });
});

describe('jittered', () => {
  it('spreads a rack over a quarter to seven quarters of the time', () => {
    expect([0, 0.5, 1].map((jitter) => jittered(20, jitter))).toEqual([5, 20, 35]);
    expect(jittered(1, 0)).toBe(1);
  });

  it('has a coefficient of variation over 0.3', () => {
    const waits = Array.from({ length: 500 }, (_none, index) => jittered(20, index / 499));
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    const variance = waits.reduce((sum, wait) => sum + (wait - mean) ** 2, 0) / waits.length;
    expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.3);
  });
});
