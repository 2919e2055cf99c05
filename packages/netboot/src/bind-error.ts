/**
 * Why a boot service could not take its address and port, in words that say what to do: the errors of bind(2) as a table.
 */
import { LpmosError } from '@lpmos/core';

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program holds it; find it with "ss -lnp" and stop it, or choose another port',
  EACCES: 'ports below 1024 need CAP_NET_BIND_SERVICE; grant it to the program or choose another port',
  EADDRNOTAVAIL: 'no interface of this host has that address; configure it or choose another address',
};

export interface BindFailure {
  readonly service: string;
  readonly transport: 'UDP' | 'TCP';
  readonly address: string;
  readonly port: number;
  readonly error: NodeJS.ErrnoException;
}

export function explainBindError(failure: BindFailure): LpmosError {
  const { service, transport, address, port, error } = failure;
  const advice = ADVICE[error.code ?? ''] ?? `the system said ${error.code ?? error.message}`;
  return new LpmosError({
    code: 'unavailable',
    message: `${service} cannot listen on ${transport} ${address} port ${port}: ${advice}`,
    fields: [{ path: 'port', problem: advice }],
    cause: error,
  });
}
