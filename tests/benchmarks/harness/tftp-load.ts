/**
 * Many TFTP clients in one process, as a program: each fetches the same file again and again, one transfer at a time per client, with
 * blksize, tsize and windowsize. Nothing is lost on loopback, so it asks again only after a second of silence.
 * Usage: tsx tftp-load.ts JSON; prints one line of JSON (TftpLoadResult).
 */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';

export interface TftpLoad {
  readonly host: string;
  readonly port: number;
  readonly file: string;
  readonly blksize: number;
  readonly windowsize: number;
  readonly clients: number;
  readonly transfersPerClient: number;
}

export interface TftpLoadResult {
  readonly bytes: number;
  readonly seconds: number;
  readonly transferMs: readonly number[];
  /** Of the one transfer before the clock starts, which finds out whether the server answers. */
  readonly warmBytes: number;
  /** What the server granted; 1 when it does not know the option. */
  readonly windowsize: number;
  readonly retries: number;
}

const OPCODE = { rrq: 1, data: 3, ack: 4, error: 5, oack: 6 } as const;
const SILENCE_MS = 1_000;
const MOST_RETRIES = 10;

interface Transfer {
  readonly bytes: number;
  readonly windowsize: number;
  readonly retries: number;
}

/** Each client has an address of its own, as machines do: a server may bound what one address gets. */
async function open(client: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 });
  await new Promise<void>((resolve) => {
    socket.bind(0, `127.0.1.${client + 1}`, resolve);
  });
  return socket;
}

async function fetchFile(load: TftpLoad, client: number): Promise<Transfer> {
  const socket = await open(client);
  try {
    return await new Promise<Transfer>((resolve, reject) => exchange(load, socket, resolve, reject));
  } finally {
    socket.close();
  }
}

function exchange(
  load: TftpLoad,
  socket: Socket,
  resolve: (transfer: Transfer) => void,
  reject: (error: Error) => void,
): void {
  const state = {
    blksize: 512,
    windowsize: 1,
    bytes: 0,
    last: 0,
    unacknowledged: 0,
    peerPort: 0,
    retries: 0,
  };
  const acknowledgement = Buffer.from([0, OPCODE.ack, 0, 0]);
  const send = (): void => {
    if (state.peerPort === 0) socket.send(readRequest(load), load.port, load.host);
    else {
      acknowledgement.writeUInt16BE(state.last & 0xffff, 2);
      socket.send(Buffer.from(acknowledgement), state.peerPort, load.host);
    }
    state.unacknowledged = 0;
    timer.refresh();
  };
  const timer = setTimeout(() => {
    state.retries += 1;
    if (state.retries > MOST_RETRIES) reject(new Error('the server fell silent'));
    else send();
  }, SILENCE_MS);
  const finish = (): void => {
    clearTimeout(timer);
    resolve({ bytes: state.bytes, windowsize: state.windowsize, retries: state.retries });
  };
  socket.on('error', reject);
  socket.on('message', (message, { port }) => {
    const opcode = message.readUInt16BE(0);
    if (opcode === OPCODE.error) {
      clearTimeout(timer);
      return reject(new Error(`TFTP error: ${message.subarray(4).toString('latin1')}`));
    }
    state.peerPort ||= port;
    if (opcode === OPCODE.oack) {
      const options = message.subarray(2).toString('latin1').toLowerCase().split('\0');
      const value = (name: string, fallback: number): number =>
        options.includes(name) ? Number(options[options.indexOf(name) + 1]) : fallback;
      state.blksize = value('blksize', 512);
      state.windowsize = value('windowsize', 1);
      return send();
    }
    if (message.readUInt16BE(2) !== ((state.last + 1) & 0xffff)) return;
    const length = message.length - 4;
    state.last += 1;
    state.bytes += length;
    state.unacknowledged += 1;
    const ended = length < state.blksize;
    if (ended || state.unacknowledged >= state.windowsize) send();
    if (ended) finish();
  });
  send();
}

function readRequest(load: TftpLoad): Buffer {
  const words = [load.file, 'octet', 'blksize', String(load.blksize), 'tsize', '0'];
  if (load.windowsize > 1) words.push('windowsize', String(load.windowsize));
  return Buffer.concat([Buffer.from([0, OPCODE.rrq]), Buffer.from(`${words.join('\0')}\0`, 'latin1')]);
}

async function main(load: TftpLoad): Promise<void> {
  const warm = await fetchFile(load, 0);
  const transferMs: number[] = [];
  const totals = { bytes: 0, retries: 0 };
  const client = async (index: number): Promise<void> => {
    for (let transfer = 0; transfer < load.transfersPerClient; transfer += 1) {
      const begun = performance.now();
      const { bytes, retries } = await fetchFile(load, index);
      transferMs.push(performance.now() - begun);
      totals.bytes += bytes;
      totals.retries += retries;
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: load.clients }, (_, index) => client(index)));
  const seconds = (performance.now() - begun) / 1000;
  const result: TftpLoadResult = {
    ...totals,
    seconds,
    transferMs,
    warmBytes: warm.bytes,
    windowsize: warm.windowsize,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

if (require.main === module) {
  void main(JSON.parse(process.argv[2] ?? '{}') as TftpLoad).then(
    () => process.exit(0),
    (thrown: unknown) => {
      process.stderr.write(`${String(thrown)}\n`);
      process.exit(1);
    },
  );
}
