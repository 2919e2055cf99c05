/**
 * HTTP boot on real sockets with what no client of good manners sends: raw request lines, silence, files that change.
 * A download that cannot be completed must break, never end short; a machine always gets a script that it can run.
 */
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { BootDecision, TaskId } from '@lpmos/core';
import { createBootHttpServer } from '@lpmos/netboot';
import { patternBytes, until } from './harness/netboot-foreign-clients';
import { BIG_BYTES, startHttpLab, type HttpLab } from './harness/netboot-http-lab';

const SIZES = [1];

let lab: HttpLab;
beforeAll(async () => {
  lab = await startHttpLab(SIZES);
});
beforeEach(() => {
  lab.events.length = 0;
});
afterAll(() => lab.stop());

describe('a download that cannot be completed', () => {
  it('H8: breaks when the file is truncated under way, and is never a short success', async () => {
    writeFileSync(`${lab.root}/shrinks.bin`, patternBytes(BIG_BYTES));
    const socket = connect(lab.port, '127.0.0.1', () =>
      // A second request waits behind: its answer must not appear where the rest of the file belongs.
      socket.write(
        ['shrinks', '1'].map((name) => `GET /images/${name}.bin HTTP/1.1\r\nHost: x\r\n\r\n`).join(''),
      ),
    );
    const parts: Buffer[] = [];
    const closed = once(socket, 'close');
    socket.on('error', () => undefined);
    await once(socket, 'readable');
    truncateSync(`${lab.root}/shrinks.bin`, 1024 * 1024);
    socket.on('data', (part) => parts.push(part));
    await closed;
    const received = Buffer.concat(parts);
    expect(received.length).toBeLessThan(BIG_BYTES);
    expect(received.lastIndexOf('HTTP/1.1 ')).toBe(0);
    // Both end: the broken download, and the one that waited behind it on the same connection.
    const reasons = () =>
      lab.events.filter((event) => event.outcome === 'failed').map((event) => event.reason);
    await until('both failures are reported', () => reasons().length === 2);
    expect(reasons()).toContainEqual(
      expect.stringMatching(/^the file (became shorter|changed) while it was sent$/),
    );
    expect(reasons()).toContainEqual(expect.stringContaining('the client closed the connection'));
  });

  it('H7: is dropped when the client stops reading', async () => {
    const strict = createBootHttpServer({ ...lab.options, limits: { stalledMs: 200 } });
    const started = await strict.start();
    const socket = lab.lazyClient(started.port);
    await until('the stalled client is dropped', () =>
      lab.events.some((event) => event.outcome === 'failed'),
    );
    expect(lab.events.at(-1)?.reason).toContain('stopped reading');
    socket.destroy();
    await strict.stop();
  });
});

describe('scripts', () => {
  const menu = (query: string) => lab.get(`/boot/menu.ipxe${query}`);

  it('H9: are plain text, never cached, with the length of their body', async () => {
    const [head, body] = (await menu('?mac=52%3A54%3A00%3A12%3A34%3A56')).split('\r\n\r\n');
    expect(head).toContain('HTTP/1.1 200 OK');
    expect(head).toContain('Content-Type: text/plain');
    expect(head).toContain('Cache-Control: no-store');
    expect(head).toContain(`Content-Length: ${body?.length}`);
    expect(body).toMatch(/^#!ipxe\n/);
    expect(lab.events).toEqual([
      expect.objectContaining({ outcome: 'answered', mac: '52:54:00:12:34:56', decision: lab.decision }),
    ]);
  });

  it.each<[BootDecision, RegExp]>([
    [{ kind: 'silent', reason: 'no task names it' }, /why: no task names it\n[^]*sanboot[^]*exit 1\n$/],
    [
      { kind: 'wait', retryAfterSeconds: 7, reason: 'not read yet' },
      /sleep 7 \|\|\nchain [^]*mac=52:54:00:12:34:56/,
    ],
    [
      { kind: 'agent', purpose: 'install', taskId: 'T' as TaskId, reason: 'approved' },
      /kernel http:\/\/127.0.0.1\/k initrd=initrd0.img \|\| goto fail\n/,
    ],
  ])('follow the decision %j', async (now, expected) => {
    lab.decision = now;
    expect(await menu('?mac=52-54-00-12-34-56')).toMatch(expected);
    expect(lab.events[0]).toMatchObject({ decision: now, reason: now.reason });
  });

  it.each(['', '?mac=', '?mac=nonsense', '?mac=%00', '?mac=%zz', '?mac=${net0/mac}%0aboot'])(
    'IP6: answer %j with a script and status 200, because firmware shows no error body',
    async (query) => {
      const answer = await menu(query);
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n#!ipxe\necho LPMOS cannot say[^]*exit 1\n$/);
      expect(answer).not.toMatch(/^boot/m);
    },
  );
});

describe('request lines', () => {
  it.each([
    ['double slashes', '/boot/assets/sb//grubx64.efi', '200 OK'],
    ['the absolute form', 'http://10.9.8.7/boot/assets/sb/grubx64.efi', '200 OK'],
    ['a broken percent code', '/boot/assets/%zz', '400 Bad Request'],
    ['a NUL', '/boot/assets/a%00b', '400 Bad Request'],
    ['a way out', '/boot/assets/../../canary', '400 Bad Request'],
    ['a coded way out', '/boot/assets/%2e%2e%2f%2e%2e%2fcanary', '400 Bad Request'],
    ['a way out coded twice', '/boot/assets/%252e%252e%252fcanary', '404 Not Found'],
    ['8 KiB', `/${'a'.repeat(8192)}`, '414 URI Too Long'],
    ['64 KiB', `/${'a'.repeat(65_536)}`, '431 Request Header Fields Too Large'],
    ['an unknown path', '/nothing', '404 Not Found'],
    ['a folder', '/boot/assets/sb', '404 Not Found'],
  ])('H6: with %s are answered', async (_what, target, status) => {
    const answer = await lab.get(target);
    expect(answer.split('\r\n')[0]).toBe(`HTTP/1.1 ${status}`);
    expect(answer).not.toContain('CANARY');
  });

  it('H6: of HTTP/1.0 without Host, and with lower-case headers, are served', async () => {
    expect(await lab.raw('GET /boot/assets/sb/grubx64.efi HTTP/1.0\r\n\r\n')).toMatch(
      /^HTTP\/1.1 200 OK[^]*grub$/,
    );
    expect(await lab.get('/boot/assets/sb/grubx64.efi', 'range: bytes=0-1')).toMatch(
      /206 Partial Content[^]*\r\n\r\ngr$/,
    );
  });

  it('of other methods are refused, with those that are served', async () => {
    const answer = await lab.raw(
      'POST /boot/menu.ipxe HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nsome body',
    );
    expect(answer).toMatch(/^HTTP\/1.1 405 Method Not Allowed\r\n/);
    expect(answer).toContain('Allow: GET, HEAD');
  });

  it('H6: that are no HTTP end with 400, and a good one is served after them', async () => {
    for (const noise of [
      '\x16\x03\x01\x02\x00',
      'GET\r\n\r\n',
      'x'.repeat(999),
      'GET / HTTP/9.9\r\n\r\n\r\n\r\n',
    ]) {
      expect(await lab.raw(`${noise}\r\n\r\n`)).toMatch(/^HTTP\/1.1 400 Bad Request/);
    }
    expect(await lab.get('/boot/assets/1.bin')).toContain('200 OK');
  });

  it('H7: that never end are given up', async () => {
    const strict = createBootHttpServer({ ...lab.options, limits: { headersTimeoutMs: 100 } });
    const started = await strict.start();
    expect(await lab.raw('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ', started.port)).toMatch(
      /^HTTP\/1.1 408 Request Timeout/,
    );
    await strict.stop();
  });
});

describe('the server', () => {
  it('closes cleanly: a running download is ended after the grace, idle connections at once', async () => {
    const brief = createBootHttpServer({ ...lab.options, limits: { stopGraceMs: 50 } });
    const started = await brief.start();
    lab.lazyClient(started.port);
    await until('the download has begun', () => lab.events.length === 1);
    await brief.stop();
    await until('the broken download is reported', () =>
      lab.events.some((event) => event.outcome === 'failed'),
    );
    await brief.stop();
  });

  it('says who may hold the port when it cannot have it', async () => {
    await expect(createBootHttpServer({ ...lab.options, port: lab.port }).start()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(
        `HTTP boot cannot listen on TCP 127.0.0.1 port ${lab.port}: another program holds it`,
      ),
    });
  });
});
