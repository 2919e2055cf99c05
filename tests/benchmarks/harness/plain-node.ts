/**
 * A Node server that does nothing: every GET is answered with bytes that it holds in memory, a file's length out of one buffer or a whole
 * script. What it costs is node:http and the kernel, below which no program on node:http can go.
 * Usage: node --require tsx/cjs plain-node.ts JSON; says "listening" when it is.
 */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';

export interface PlainNode {
  readonly address: string;
  readonly port: number;
  /** Answered at `/image`. */
  readonly imageBytes: number;
  /** Answered everywhere else. */
  readonly script: string;
}

/** As large as the pieces in which LPMOS sends. */
const PIECE_BYTES = 512 * 1024;

function sendImage(response: ServerResponse, length: number): void {
  const piece = Buffer.alloc(PIECE_BYTES, 'x');
  let rest = length;
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': String(length) });
  const next = (): void => {
    if (rest === 0) {
      response.end();
      return;
    }
    const bytes = piece.subarray(0, Math.min(rest, PIECE_BYTES));
    rest -= bytes.length;
    response.write(bytes, next);
  };
  next();
}

function main({ address, port, imageBytes, script }: PlainNode): void {
  const headers = {
    'Content-Type': 'text/plain; charset=us-ascii',
    'Content-Length': String(script.length),
    'Cache-Control': 'no-store',
  };
  const server = createServer({ noDelay: true }, (request, response) => {
    if (request.url === '/image') {
      sendImage(response, imageBytes);
      return;
    }
    response.writeHead(200, headers);
    response.end(script, 'latin1');
  });
  server.listen(port, address, () => process.stdout.write('listening\n'));
}

if (require.main === module) main(JSON.parse(process.argv[2] ?? '{}') as PlainNode);
