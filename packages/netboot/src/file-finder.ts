/**
 * The port through which TFTP and HTTP ask for files whose names are in no table: made for one peer, or read, when somebody asks.
 * The regional daemon answers; the servers know names and addresses only.
 */
import type { BootEvent } from './boot-event';

/** For the boot event: whose file it is, and what was decided. */
export type FileSubject = Pick<BootEvent, 'mac' | 'decision'>;

export type FoundFile = { readonly about?: FileSubject } & (
  | { readonly bytes: Uint8Array }
  /** The peer hears "not found"; the event says this. */
  | { readonly refused: string }
);

/**
 * @param name normalised, in the case that was asked for. @param address of the peer.
 * @returns undefined at once for a name that is never published, so that probing for names stays cheap.
 */
export type FileFinder = (name: string, address: string) => Promise<FoundFile> | undefined;
