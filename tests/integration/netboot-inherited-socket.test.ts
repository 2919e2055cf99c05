/** What waited in a socket of the service manager: heard after a quick restart, thrown away after a time of standing by. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { until } from '../conformance/harness/netboot-foreign-clients';

const PROGRAM = join(__dirname, 'harness', 'inherited-socket.ts');
/** Opens a socket as descriptor 3, says its port, waits for a line, and becomes the program. */
const LAUNCHER = `
use Socket; $^F = 10; $| = 1;
socket(my $s, PF_INET, SOCK_DGRAM, 0) or die; bind($s, sockaddr_in(0, inet_aton("127.0.0.1"))) or die;
die "descriptor " . fileno($s) unless fileno($s) == 3;
my ($port) = sockaddr_in(getsockname($s)); print "port $port\\n";
<STDIN>; exec @ARGV;
`;
/** The usual receive buffer of a fresh socket holds some 270. */
const STALE = 100;

let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGKILL'));

async function takeOver(
  how: 'discard' | 'keep',
): Promise<{ said: () => string; send: (text: string) => void }> {
  const program = [process.execPath, '--import', 'tsx', PROGRAM, how];
  const launched = spawn('perl', ['-e', LAUNCHER, ...program], { stdio: ['pipe', 'pipe', 'inherit'] });
  child = launched;
  let said = '';
  launched.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until('the launcher has its socket', () => said.includes('port '));
  const port = Number(/port (\d+)/.exec(said)?.[1]);
  const sender = createSocket('udp4').unref();
  const send = (text: string): void => void sender.send(text, port, '127.0.0.1');
  for (let index = 0; index < STALE; index += 1) send(`stale ${index}`);
  await new Promise<void>((sent) => sender.send('stale, the last', port, '127.0.0.1', () => sent()));
  launched.stdin.write('go\n');
  await until('the socket is taken over', () => said.includes('open\n'));
  return { said: () => said, send };
}

it('is thrown away by a daemon that stood by, which hears all that comes later', async () => {
  const { said, send } = await takeOver('discard');
  send('fresh');
  await until('the fresh one is heard', () => said().includes('heard fresh'));
  expect(said()).not.toContain('stale');
});

it('is heard after a restart, when clients still wait for it', async () => {
  const { said } = await takeOver('keep');
  await until('the last of them is heard', () => said().includes('heard stale, the last'));
});
