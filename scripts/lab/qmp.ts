/**
 * One command to a running QEMU over its machine protocol (QMP): greeting, capabilities, command, answer.
 * A connection per command keeps no state; QEMU serves one client at a time and the lab asks rarely.
 * Invariant: every command ends by its deadline.
 */
import { connect } from 'node:net';

const DEADLINE_MS = 10_000;

interface QmpMessage {
  readonly QMP?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly id?: string;
}

/** Resolves to the command's return value; rejects with QEMU's own description. */
export async function qmpCommand(
  socketPath: string,
  command: string,
  args?: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  return new Promise<unknown>((resolve, reject) => {
    const socket = connect({ path: socketPath });
    const deadline = setTimeout(
      () => finish(new Error(`QEMU did not answer ${command} in time`)),
      DEADLINE_MS,
    );
    const finish = (error: Error | undefined, value?: unknown): void => {
      clearTimeout(deadline);
      socket.destroy();
      if (error === undefined) resolve(value);
      else reject(error);
    };
    const send = (message: object): void => void socket.write(`${JSON.stringify(message)}\n`);
    let buffer = '';
    const handle = (message: QmpMessage): void => {
      if (message.QMP !== undefined) send({ execute: 'qmp_capabilities', id: 'hello' });
      else if (message.error !== undefined)
        finish(new Error(`QEMU refused ${command}: ${message.error.desc}`));
      else if (message.id === 'hello') {
        send({ execute: command, id: 'command', ...(args === undefined ? {} : { arguments: args }) });
      } else if (message.id === 'command') finish(undefined, message.return);
    };
    socket.on('error', (error) => finish(error));
    socket.on('close', () => finish(new Error(`QEMU ended during ${command}`)));
    socket.on('data', (chunk) => {
      buffer += chunk.toString('utf8');
      const lines = buffer.split('\n');
      buffer = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') handle(JSON.parse(line) as QmpMessage);
    });
  });
}
