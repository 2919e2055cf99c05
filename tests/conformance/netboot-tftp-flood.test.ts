/** TFTP when a hall is powered on: 500 transfers at once on one server process. Times are printed and never judged. */
import { patternBytes } from './harness/netboot-foreign-clients';
import { startTftpProcess } from './harness/tftp-process';
import { readByTftp } from '../../scripts/fuzz/tftp-reader';

const TRANSFERS = 500;
const SIZE = 1024 * 1024;
/** Node itself takes some 90. */
const MAX_RSS_MEGABYTES = 200;

it('TF23: 500 transfers of 1 MiB at once are all correct, in bounded memory', async () => {
  const expected = patternBytes(SIZE);
  const limits = { maxSessionsPerPeer: TRANSFERS };
  const server = await startTftpProcess({
    address: '127.0.0.1',
    port: 0,
    files: { 'loader.efi': SIZE },
    limits,
  });
  const { port } = server;
  const reading = {
    port,
    name: 'loader.efi',
    options: [
      ['blksize', '1468'],
      ['windowsize', '8'],
    ] as const,
    expected,
    deadlineMs: 240_000,
  };
  const begun = performance.now();
  const times = await Promise.all(Array.from({ length: TRANSFERS }, () => readByTftp(reading)));
  const seconds = (performance.now() - begun) / 1000;
  let status = await server.status();
  // The last ACKs may still be on their way.
  for (let look = 0; look < 100 && status.sessions > 0; look += 1) status = await server.status();
  await server.stop();
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[TRANSFERS / 2] ?? 0;
  process.stdout.write(
    `\n${TRANSFERS} transfers of ${SIZE} bytes in ${seconds.toFixed(1)} s; slowest ${((sorted.at(-1) ?? 0) / median).toFixed(2)} × median; ` +
      `server ${status.rssMegabytes} MB, longest stall ${status.longestStallMs} ms\n`,
  );
  expect(times).toHaveLength(TRANSFERS);
  expect(status.sessions).toBe(0);
  expect(status.rssMegabytes).toBeLessThan(MAX_RSS_MEGABYTES);
}, 300_000);
