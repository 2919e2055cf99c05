/** HTTP boot files against curl: HEAD, ranges, resumed and parallel downloads. Bodies are compared byte by byte. */
import { readFileSync, statSync } from 'node:fs';
import { missingClient, patternBytes, runClient, until } from './harness/netboot-foreign-clients';
import { describeWhen } from '../integration/harness/it-when';
import { startHttpLab, type HttpLab } from './harness/netboot-http-lab';

const SIZES = [0, 1, 511, 512, 513, 1024, 1468, 65_537, 512 * 1024, 3 * 1024 * 1024 + 7];

let lab: HttpLab;
beforeAll(async () => {
  lab = await startHttpLab(SIZES);
});
beforeEach(() => {
  lab.events.length = 0;
});
afterAll(() => lab.stop());

const curl = (...args: string[]) => runClient('curl', ['-sS', ...args]);

describeWhen(missingClient('curl', 'curl'))('files', () => {
  it.each(SIZES)(
    'H2: of %i bytes arrive whole, and HEAD tells the same headers without a body',
    async (size) => {
      const to = lab.scratch(`got-${size}`);
      const run = await curl('-f', '-D', `${to}.headers`, '-o', to, lab.url(`/boot/assets/${size}.bin`));
      expect(run.code).toBe(0);
      expect(
        (size === 0 ? Buffer.alloc(statSync(to).size) : readFileSync(to)).equals(patternBytes(size)),
      ).toBe(true);
      const head = await curl('-I', lab.url(`/boot/assets/${size}.bin`));
      const stable = (text: string) =>
        text.split('\r\n').filter((line) => !/^(Date|Connection|Keep-Alive):/.test(line));
      expect(stable(head.output)).toEqual(stable(readFileSync(`${to}.headers`, 'latin1')));
      expect(head.output).toContain(`Content-Length: ${size}\r\n`);
      expect(head.output).not.toMatch(/transfer-encoding|content-encoding|location/i);
    },
  );

  it('H4: arrive in parts that join to the whole, and an interrupted download goes on', async () => {
    const to = lab.scratch('parts');
    const whole = patternBytes(3 * 1024 * 1024 + 7);
    const path = lab.url('/images/3145735.bin');
    await curl('-f', '-r', '0-999999', '-o', to, path);
    expect(statSync(to).size).toBe(1_000_000);
    const run = await curl('-f', '-C', '-', '-o', to, path);
    expect(run.code).toBe(0);
    expect(readFileSync(to).equals(whole)).toBe(true);
    const tail = await curl('-w', '%{http_code}', '-r', '-7', '-o', `${to}.tail`, path);
    expect(tail.output).toBe('206');
    expect(readFileSync(`${to}.tail`).equals(whole.subarray(-7))).toBe(true);
    expect((await curl('-w', '%{http_code}', '-r', '9999999-', '-o', '/dev/null', path)).output).toBe('416');
    expect((await curl('-w', '%{http_code}', '-r', '0-1,4-5', '-o', '/dev/null', path)).output).toBe('416');
  });

  it('H4: are not sent again to a client that has them', async () => {
    const etag =
      /^ETag: (.*)\r$/m.exec((await curl('-I', lab.url('/boot/assets/512.bin'))).output)?.[1] ?? '';
    const again = await curl(
      '-w',
      '%{http_code} %{size_download}',
      '-H',
      `If-None-Match: ${etag}`,
      lab.url('/boot/assets/512.bin'),
    );
    expect(again.output).toBe('304 0');
    const range = ['-r', '0-9', '-w', '%{http_code}', '-o', '/dev/null'];
    expect((await curl(...range, '-H', `If-Range: ${etag}`, lab.url('/boot/assets/512.bin'))).output).toBe(
      '206',
    );
    expect((await curl(...range, '-H', 'If-Range: "old"', lab.url('/boot/assets/512.bin'))).output).toBe(
      '200',
    );
  });

  it('are reported with the bytes that were sent', async () => {
    await curl('-o', '/dev/null', lab.url('/images/65537.bin'));
    await until('the download is reported', () => lab.events.some((event) => event.outcome === 'completed'));
    expect(lab.events.map((event) => [event.outcome, event.bytes])).toEqual([
      ['answered', undefined],
      ['completed', 65_537],
    ]);
    expect(lab.events[0]).toMatchObject({
      protocol: 'http',
      peer: '127.0.0.1',
      request: 'GET /images/65537.bin',
    });
  });

  it('H7: reach twenty clients at once, each whole, beside one that does not read', async () => {
    const lazy = lab.lazyClient();
    const size = 3 * 1024 * 1024 + 7;
    const runs = Array.from({ length: 20 }, (_none, index) =>
      curl('-f', '-o', lab.scratch(`many-${index}`), lab.url(`/images/${size}.bin`)),
    );
    expect((await Promise.all(runs)).map((run) => run.code)).toEqual(runs.map(() => 0));
    const whole = patternBytes(size);
    expect(runs.every((_run, index) => readFileSync(lab.scratch(`many-${index}`)).equals(whole))).toBe(true);
    lazy.destroy();
    await until('the lazy client is reported', () => lab.events.some((event) => event.outcome === 'failed'));
  }, 30_000);
});
