/** What a client can do to the agents' HTTP door by doing nothing. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createHttpApi } from './http-api';
import type { HttpApiOptions } from './http-api';

const ANSWERS = 64;
const ANSWER_BYTES = 1024 * 1024;

it('closes the connection of a client that stops reading', async () => {
  const api = createHttpApi({
    ...{ addresses: ['127.0.0.1'], port: 0, stalledMs: 200 },
    metricsText: async () => ({ contentType: 'text/plain', text: 'x'.repeat(ANSWER_BYTES) }),
  } as unknown as HttpApiOptions);
  const { port } = await api.start();
  const client = connect(port, '127.0.0.1');
  client.on('error', () => undefined);
  client.pause();
  client.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(ANSWERS));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  let received = 0;
  client.on('data', (bytes: Buffer) => (received += bytes.length));
  client.resume();
  await once(client, 'close');
  expect(received).toBeLessThan((ANSWERS * ANSWER_BYTES) / 2);
  await api.stop();
});
