/**
 * Sends router-advertisement.ts to single machines. Node has no raw sockets: perl (perl-base is on every Debian) holds one for each interface
 * and sends what it is told line by line. It needs CAP_NET_RAW, reads nothing from the network (a filter of the kernel lets nothing in), and ends
 * with its standard input, so it never outlives the daemon.
 * Nobody depends on it: what cannot be sent is said once and costs a machine the wait that it would have without us.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { LpmosError } from '@lpmos/core';
import type { FieldProblem, MacAddress } from '@lpmos/core';
import { ADVERTISEMENT_HOP_LIMIT, linkLocalAddress, noRouterAdvertisement } from './router-advertisement';

export interface AnnouncedDevice {
  /** `eth1` */
  readonly device: string;
  /** Names it in a problem; the device when absent. */
  readonly path?: string;
}

export interface Announcer {
  /** Tells a machine on the link of a device that there is no IPv6 router. Never throws and never waits. */
  tell(device: string, mac: MacAddress): void;
  stop(): Promise<void>;
}

export interface AnnouncerOptions {
  readonly devices: readonly AnnouncedDevice[];
  /** Something was not sent, in words; the same words once a minute at most. */
  readonly onProblem: (problem: string) => void;
}

/** Numbers of Linux that perl's Socket module may not have. The index of an interface is asked of the socket: /sys may show another network namespace. */
const LINUX = {
  SO_BINDTODEVICE: 25,
  IPPROTO_ICMPV6: 58,
  ICMP6_FILTER: 1,
  IPV6_UNICAST_HOPS: 16,
  SIOCGIFINDEX: 0x8933,
} as const;
const FILTER_BYTES = 32;

/** Arguments: devices. Says `ready` or, for each that failed, its index, errno and text; then `device address message` a line, the message in hex. */
const SENDER = `
use strict; use Errno; use Socket qw(:DEFAULT IPPROTO_IPV6 AF_INET6 inet_pton pack_sockaddr_in6);
$| = 1;
my (%socket, %scope, $failed);
for my $i (0 .. $#ARGV) {
  my $device = $ARGV[$i];
  my ($s, $request) = (undef, pack('a16 x24', $device));
  my $ok = socket($s, AF_INET6, SOCK_RAW, ${LINUX.IPPROTO_ICMPV6})
    && setsockopt($s, SOL_SOCKET, ${LINUX.SO_BINDTODEVICE}, $device . chr(0))
    && setsockopt($s, IPPROTO_IPV6, ${LINUX.IPV6_UNICAST_HOPS}, pack('i', ${ADVERTISEMENT_HOP_LIMIT}))
    && setsockopt($s, ${LINUX.IPPROTO_ICMPV6}, ${LINUX.ICMP6_FILTER}, chr(255) x ${FILTER_BYTES})
    && ioctl($s, ${LINUX.SIOCGIFINDEX}, $request);
  if ($ok) { $socket{$device} = $s; $scope{$device} = unpack('x16 i', $request); }
  else { my ($name) = grep { $!{$_} } keys %!; print "$i $name $!\\n"; $failed = 1; }
}
exit 3 if $failed;
print "ready\\n";
while (my $line = <STDIN>) {
  my ($device, $address, $message) = split ' ', $line;
  my $to = pack_sockaddr_in6(0, inet_pton(AF_INET6, $address), $scope{$device});
  send($socket{$device}, pack('H*', $message), 0, $to) or print "failed $device: $!\\n";
}
`;

type Helper = ChildProcessByStdio<Writable, Readable, Readable>;

const READY_WITHIN_MS = 10_000;
/** A helper that ended is started again with the next machine, and not more often. */
const RESTART_AFTER_MS = 10_000;
/** What a helper has not read yet; beyond it machines are not told. */
const MOST_WAITING_BYTES = 64 * 1024;
const REPEAT_PROBLEM_MS = 60_000;

const MESSAGE = Buffer.from(noRouterAdvertisement()).toString('hex');

/** @throws LpmosError `unavailable` with one field problem for each device that refuses. */
export async function startAnnouncer({ devices, onProblem }: AnnouncerOptions): Promise<Announcer> {
  const say = sparing(onProblem);
  let startedMs = performance.now();
  let helper: Helper | undefined = await startHelper(devices);
  let stopped = false;
  const watch = (one: Helper): void => {
    createInterface({ input: one.stdout }).on('line', (line) => say(line.replace(/^failed /, '')));
    // Its end is said by `close`.
    one.stdin.on('error', () => undefined);
    one.once('close', () => {
      if (helper === one) helper = undefined;
      if (!stopped) say('the helper that sends router advertisements ended; it is started again');
    });
  };
  const restart = async (): Promise<void> => {
    startedMs = performance.now();
    try {
      const one = await startHelper(devices);
      if (stopped) one.stdin.end();
      else watch((helper = one));
    } catch (thrown) {
      say(LpmosError.from(thrown).message);
    }
  };
  watch(helper);
  return {
    tell(device, mac) {
      if (stopped) return;
      if (helper === undefined) {
        if (performance.now() - startedMs > RESTART_AFTER_MS) void restart();
        return;
      }
      if (helper.stdin.writableLength > MOST_WAITING_BYTES) return say('too many machines at once');
      helper.stdin.write(`${device} ${linkLocalAddress(mac)} ${MESSAGE}\n`);
    },
    async stop() {
      stopped = true;
      const ending = helper;
      helper = undefined;
      if (ending === undefined) return;
      const closed = new Promise((resolve) => ending.once('close', resolve));
      ending.kill('SIGKILL');
      await closed;
    },
  };
}

function startHelper(devices: readonly AnnouncedDevice[]): Promise<Helper> {
  const helper = spawn('perl', ['-e', SENDER, ...devices.map(({ device }) => device)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  let said = '';
  return new Promise((resolve, reject) => {
    const settle = (error?: LpmosError): void => {
      clearTimeout(deadline);
      helper.stdout.off('data', hear);
      helper.stderr.off('data', hear).resume();
      helper.off('close', onClose);
      if (error === undefined) return resolve(helper);
      helper.kill('SIGKILL');
      reject(error);
    };
    const hear = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(0, 65_536);
      if (said === 'ready\n') settle();
    };
    const onClose = (): void => settle(failure(devices, said));
    const deadline = setTimeout(
      () => settle(failure(devices, `0 ETIMEDOUT not ready within ${READY_WITHIN_MS} ms`)),
      READY_WITHIN_MS,
    );
    helper.stdout.on('data', hear);
    helper.stderr.on('data', hear);
    helper.once('error', (error: NodeJS.ErrnoException) =>
      settle(failure(devices, `0 ${error.code} perl: ${error.message}`)),
    );
    helper.once('close', onClose);
  });
}

const ADVICE: Readonly<Record<string, (device: string) => string>> = {
  EPERM: () =>
    'needs CAP_NET_RAW in the ambient set (systemd AmbientCapabilities=, see deploy/systemd), or leave ipv6_router out and let a router announce itself',
  ENODEV: (device) => `there is no interface ${device}; "ip -brief link" lists those that are there`,
  EAFNOSUPPORT: () => 'this host has no IPv6; leave ipv6_router out',
  ENOENT: () => 'needs perl; install perl-base, or leave ipv6_router out',
};

/** @param said lines of the helper: index, errno, text */
function failure(devices: readonly AnnouncedDevice[], said: string): LpmosError {
  const fields = [...said.matchAll(/^(\d+) ([A-Z]+) (.*)$/gm)].map(
    ([, index = '0', code = '', text = '']): FieldProblem => {
      const { device = 'device', path = device } = devices[Number(index)] ?? {};
      return { path, problem: ADVICE[code]?.(device) ?? `${code}: ${text}` };
    },
  );
  const text = fields.map(({ path, problem }) => `${path} ${problem}`).join('; ');
  return new LpmosError({
    code: 'unavailable',
    message: `Router advertisements cannot be sent: ${text === '' ? `the helper ended without a word (${said.slice(0, 200)})` : text}`,
    fields,
  });
}

/** A link without IPv6 would say the same for every machine. */
function sparing(say: (problem: string) => void): (problem: string) => void {
  const lastMs = new Map<string, number>();
  return (problem) => {
    const nowMs = performance.now();
    if (nowMs - (lastMs.get(problem) ?? -Infinity) < REPEAT_PROBLEM_MS) return;
    if (lastMs.size > 100) lastMs.clear();
    lastMs.set(problem, nowMs);
    say(problem);
  };
}
