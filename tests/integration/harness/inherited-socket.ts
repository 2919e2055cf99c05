/**
 * A program that gets an open UDP socket as descriptor 3, opens it as a DHCP port and writes each datagram that it hears, one line each.
 * Argument: `discard` or `keep`, what is to become of what waits in the socket. Ends when its input ends.
 */
import { openUdpSocket } from '@lpmos/netboot';

async function main(): Promise<void> {
  const port = await openUdpSocket({
    ...{ serverAddress: '127.0.0.1', port: 0, fd: 3 },
    discardQueued: process.argv[2] === 'discard',
  })();
  port.listen({
    onDatagram: (bytes) => void process.stdout.write(`heard ${Buffer.from(bytes).toString()}\n`),
    onError: (error) => {
      throw error;
    },
  });
  process.stdout.write('open\n');
  process.stdin.resume().once('end', () => process.exit(0));
}

void main();
