/**
 * Runs the pure DHCP client over a relay socket with real timers, until it is bound, has failed or power goes.
 * The only file that joins the two; leaves neither timer nor listener.
 */
import type { Endpoint } from '@lpmos/netboot';
import { startDhcp, stepDhcp } from './dhcp-client';
import type { DhcpClient, DhcpEvent, DhcpLease, DhcpStep } from './dhcp-client';
import type { BootClient } from './dhcp-options';
import type { RelaySocket } from './relay-socket';

export interface DhcpExchangeOptions {
  readonly client: BootClient;
  readonly xid: number;
  readonly relay: RelaySocket;
  readonly server: Endpoint;
  /** Multiplies every wait; 1 is the patience of real firmware. */
  readonly timeScale: number;
  readonly signal: AbortSignal;
  readonly onOffer?: (address: string) => void;
}

export type DhcpResult = { readonly lease: DhcpLease } | { readonly failure: string };

/** @throws the signal's reason when it aborts. */
export function obtainLease(options: DhcpExchangeOptions): Promise<DhcpResult> {
  const { relay, signal, xid } = options;
  signal.throwIfAborted();
  const context: DhcpClient = { client: options.client, xid, giaddr: relay.address };
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let step: DhcpStep;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = (): void => end(() => reject(abortReason(signal)));
    const perform = (next: DhcpStep): void => {
      step = next;
      for (const effect of next.effects) {
        if (effect.kind === 'send') {
          /** A datagram that the system refuses is lost like any other. */
          relay.send(effect.packet, options.server).catch(() => undefined);
        } else if (effect.kind === 'arm') {
          clearTimeout(timer);
          timer = setTimeout(() => feed({ kind: 'timeout' }), effect.delaySeconds * 1000 * options.timeScale);
        } else if (effect.kind === 'offered') options.onOffer?.(effect.address);
        else if (effect.kind === 'bound') end(() => resolve({ lease: effect.lease }));
        else end(() => resolve({ failure: effect.reason }));
      }
    };
    const feed = (event: DhcpEvent): void => perform(stepDhcp(context, step.state, event));
    const unsubscribe = relay.subscribe(xid, (packet) => feed({ kind: 'reply', packet }));
    signal.addEventListener('abort', onAbort, { once: true });
    perform(startDhcp(context));
  });
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}
