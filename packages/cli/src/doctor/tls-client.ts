/** Looks at the certificate of the agent's port. Trusts nothing and sends nothing: whether the agent trusts it is the agent's question. */
import { connect } from 'node:tls';
import { failureText } from './http-client';
import type { TlsResult } from './http-check';

export interface TlsLook {
  readonly host: string;
  readonly port: number;
  readonly deadlineMs: number;
}

export function lookAtTls({ host, port, deadlineMs }: TlsLook): Promise<TlsResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const end = (result: TlsResult): void => {
      clearTimeout(late);
      resolve(result);
      socket.destroy();
    };
    const late = setTimeout(() => end({ failure: `no answer within ${deadlineMs / 1000} s` }), deadlineMs);
    socket.on('error', (error) => end({ failure: failureText(error, deadlineMs) }));
    socket.on('close', () => end({ failure: 'the connection was cut' }));
    socket.on('secureConnect', () => {
      const { valid_from, valid_to, subject } = socket.getPeerCertificate();
      const name = [subject.CN].flat()[0] ?? 'the region';
      end({ validFromMs: Date.parse(valid_from), validToMs: Date.parse(valid_to), subject: name });
    });
  });
}
