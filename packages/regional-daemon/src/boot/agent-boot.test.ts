/** What a site may write into LPMOS_KERNEL_ARGUMENTS is exactly what both kinds of script can carry. */
import { renderGrubScript, renderIpxeScript } from '@lpmos/netboot';
import type { KernelArgument } from '@lpmos/netboot';
import { EXAMPLE_MAC, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import { SECRETS, testClock } from '../testing/region-fixtures';
import { agentKernelArguments, KERNEL_ARGUMENTS } from './agent-boot';

const OPTIONS = {
  ...{ regionId: 'r'.repeat(32), secrets: SECRETS, clock: testClock() },
  agentEndpoint: () => '255.255.255.255:65535',
};

function inScripts(fixed: string): boolean {
  const words: readonly KernelArgument[] = agentKernelArguments(
    { ...OPTIONS, kernelArguments: fixed },
    {
      mac: EXAMPLE_MAC,
      decision: { kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'r' },
    },
  );
  const named: KernelArgument[] = [
    ['initrd', 'initrd0.img'],
    ['initrd', 'initrd1.img'],
  ];
  try {
    renderIpxeScript([
      { do: 'label', name: 'fail' },
      { do: 'kernel', url: 'http://a/b', arguments: [...named, ...words], orGoto: 'fail' },
    ]);
    renderGrubScript([{ do: 'linux', file: '/a', arguments: words }]);
    return true;
  } catch {
    return false;
  }
}

it.each([
  'console=tty0 console=ttyS0,115200 panic=30',
  'ip=10.0.0.5::10.0.0.1:255.255.255.0:host:eth0:off quiet',
  'a=b=c d= &',
  Array.from({ length: 300 }, () => 'abcd').join(' '),
])('accepts %s, which scripts carry', (fixed) => {
  expect([KERNEL_ARGUMENTS.pattern.test(fixed), inScripts(fixed)]).toEqual([true, true]);
});

it.each(['dyndbg="+p"', "a='b", 'a=$b', 'a;b', 'a#b', 'a|b', 'a&&b', 'a\\b', '=b', 'a  b', 'a '.repeat(900)])(
  'refuses %s, which scripts do not carry',
  (fixed) => {
    expect([KERNEL_ARGUMENTS.pattern.test(fixed), inScripts(fixed)]).toEqual([false, false]);
  },
);
