/**
 * UDP sockets that are bound to a device (SO_BINDTODEVICE), so that each hears the broadcasts of its own link only. Node cannot set that
 * option: perl (perl-base is on every Debian) opens the sockets and becomes a Node that hands them over; both end before this resolves.
 * One such helper opens all sockets of a daemon. Binding to a device needs no right since Linux 5.7; ports below 1024 need
 * CAP_NET_BIND_SERVICE in the ambient set, because file capabilities do not pass to the helper.
 * Where a service manager opens the sockets (systemd `BindToDevice=`) none of this is needed; see udp-socket.ts.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { Socket } from 'node:dgram';
import { LpmosError } from '@lpmos/core';

export interface DeviceSocketRequest {
  /** `eth1` */
  readonly device: string;
  /** `0.0.0.0` hears broadcasts; our address on the link sends from it. */
  readonly address: string;
  readonly port: number;
  /** False where another program may hold the port already, such as the host's own DHCP client on 68. */
  readonly alone: boolean;
  /** Names the request in a problem; the device when absent. */
  readonly path?: string;
}

/** Options of Linux that perl's Socket module may not name. */
const SO_BINDTODEVICE = 25;

/**
 * Arguments: `device,address,port,alone` for each socket, then `--` and the program that gets them. A port that is to be ours alone is first
 * bound without sharing: SO_REUSEADDR would hide another server behind ours. Everything that fails is said, one line each: index, errno, text.
 */
const OPENER = `
use strict; use Errno; use Socket;
# Descriptors up to this number pass through exec.
$^F = 65535;
my (@open, @fds, $failed);
my $make = sub {
  my ($device, $address, $port, $share) = @_;
  socket(my $s, PF_INET, SOCK_DGRAM, 0) or return;
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1) or return if $share;
  setsockopt($s, SOL_SOCKET, SO_BROADCAST, 1) or return;
  setsockopt($s, SOL_SOCKET, ${SO_BINDTODEVICE}, $device . chr(0)) or return;
  bind($s, sockaddr_in($port, inet_aton($address))) or return;
  return $s;
};
my @wanted;
while (@ARGV) { my $next = shift @ARGV; last if $next eq '--'; push @wanted, [split /,/, $next]; }
my %probed;
for my $i (0 .. $#wanted) {
  my ($device, $address, $port, $alone) = @{$wanted[$i]};
  my $ok = 1;
  if ($alone && !$probed{"$device $port"}++) { my $probe = $make->($device, $address, $port, 0); $ok = defined $probe; close $probe if $probe; }
  my $s = $ok ? $make->($device, $address, $port, 1) : undef;
  if (defined $s) { push @open, $s; push @fds, fileno($s); }
  else { my ($name) = grep { $!{$_} } keys %!; print STDERR "$i $name $!\\n"; $failed = 1; }
}
exit 3 if $failed;
exec { $ARGV[0] } @ARGV, join(',', @fds);
print STDERR "0 ENOEXEC $!\\n"; exit 3;
`;

/** Runs as the helper's second half: the parent has all sockets when it hangs up. */
const GIVER = `
const { createSocket } = require('node:dgram');
process.once('disconnect', () => process.exit(0));
(async () => {
  for (const [index, fd] of process.argv[1].split(',').entries()) {
    const socket = createSocket('udp4');
    await new Promise((bound) => socket.bind({ fd: Number(fd) }, bound));
    process.send({ index }, socket);
  }
})().catch((error) => { console.error('0', error.code, error.message); process.exit(3); });
`;

/** Two programs start, on a machine that is busy with booting itself. */
const OPEN_WITHIN_MS = 15_000;

/** @returns bound sockets in the order of the requests. @throws LpmosError with one field problem for each socket that cannot be had. */
export async function openDeviceSockets(requests: readonly DeviceSocketRequest[]): Promise<Socket[]> {
  if (requests.length === 0) return [];
  const words = requests.map(({ device, address, port, alone }) =>
    [device, address, port, alone ? 1 : 0].join(','),
  );
  const helper = spawn('perl', ['-e', OPENER, ...words, '--', process.execPath, '-e', GIVER], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  return received(helper, requests);
}

/** Settles once the helper has ended, well or not: while it lives it holds the sockets too, and a port that is given up is not free. */
function received(helper: ChildProcess, requests: readonly DeviceSocketRequest[]): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let said = '';
  let problem: LpmosError | undefined;
  const hasAll = (): boolean => sockets.length === requests.length;
  const giveUp = (error: LpmosError): void => {
    problem ??= error;
    helper.kill('SIGKILL');
  };
  helper.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, 65_536)));
  helper.on('message', (_message, socket) => {
    if (!(socket instanceof Socket)) return;
    sockets.push(socket);
    if (hasAll() && helper.connected) helper.disconnect();
  });
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(
      () => giveUp(failure(requests, `0 ETIMEDOUT no sockets within ${OPEN_WITHIN_MS} ms`)),
      OPEN_WITHIN_MS,
    );
    helper.once('error', (error: NodeJS.ErrnoException) =>
      giveUp(failure(requests, `0 ${error.code} perl: ${error.message}`)),
    );
    const settle = (): void => {
      clearTimeout(deadline);
      if (problem === undefined && hasAll()) return resolve(sockets);
      for (const socket of sockets.splice(0)) socket.close();
      reject(problem ?? failure(requests, said));
    };
    // Node says `close` only of a channel that the helper closed; what a helper that failed has said is whole only then.
    helper.once('exit', () => (problem !== undefined || hasAll()) && settle());
    helper.once('close', settle);
  });
}

const ADVICE: Readonly<Record<string, (request: DeviceSocketRequest) => string>> = {
  EADDRINUSE: ({ device, port }) =>
    `UDP port ${port} of ${device} is taken by another program; find it with "ss -ulpn sport = :${port}" and stop it`,
  EACCES: ({ port }) =>
    `UDP port ${port} needs CAP_NET_BIND_SERVICE in the ambient set (systemd AmbientCapabilities=), or sockets passed in by a systemd socket unit, or "sysctl net.ipv4.ip_unprivileged_port_start=${port}"`,
  EPERM: ({ device }) =>
    `binding to ${device} needs CAP_NET_RAW before Linux 5.7; let a systemd socket unit with BindToDevice=${device} pass the socket in`,
  ENODEV: ({ device }) => `there is no interface ${device}; "ip -brief link" lists those that are there`,
  EADDRNOTAVAIL: ({ address, device }) =>
    `${address} is no address of this host; add it to ${device} or correct it`,
  ENOENT: () =>
    'perl is needed to bind sockets to interfaces; install perl-base, or let systemd socket units pass the sockets in',
};

/** @param said lines of the helper: index, errno, text */
function failure(requests: readonly DeviceSocketRequest[], said: string): LpmosError {
  const lines = [...said.matchAll(/^(\d+) ([A-Z]+) (.*)$/gm)];
  const problems = lines.map(([, index = '0', code = '', text = '']) => {
    const request = requests[Number(index)] ?? requests[0];
    const advice = request === undefined ? undefined : ADVICE[code]?.(request);
    const path = request?.path ?? request?.device ?? 'device';
    return { path, problem: advice ?? `${code}: ${text}` };
  });
  // The two sockets of one port fail alike.
  const unique = [...new Map(problems.map((entry) => [`${entry.path} ${entry.problem}`, entry])).values()];
  const text = unique.map(({ problem }) => problem).join('; ');
  return new LpmosError({
    code: 'unavailable',
    message: `DHCP cannot listen: ${text === '' ? `the helper ended without a word (${said.slice(0, 200)})` : text}`,
    fields: unique,
  });
}
