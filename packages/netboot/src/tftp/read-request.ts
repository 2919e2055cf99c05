/**
 * What to do with a datagram that came to the well-known port: pure. server.ts does it.
 * Only a request earns an answer, and at most one ERROR: everything else, above all an ERROR, is met with silence so
 * that two servers can never be made to talk to each other. A write is refused and leaves no state.
 */
import type { FileSubject, FoundFile } from '../file-finder';
import { findFile, normaliseName, type FileTable } from './names';
import { MAX_NETASCII_BYTES } from './netascii';
import { decodeTftpPacket, type TftpErrorName, type TftpRequest } from './packet';

export type TransferMode = 'octet' | 'netascii';

export interface MissingFile {
  readonly kind: 'missing';
  readonly request: TftpRequest;
  readonly name: string;
  readonly mode: TransferMode;
}

export type RequestAnswer =
  | {
      readonly kind: 'transfer';
      readonly request: TftpRequest;
      readonly name: string;
      readonly mode: TransferMode;
      readonly bytes: Uint8Array;
      readonly about?: FileSubject;
    }
  /** A read that is in order, of a name that the table does not have; lookup.ts may find it elsewhere. */
  | MissingFile
  | {
      readonly kind: 'refuse';
      readonly error: TftpErrorName;
      /** `RRQ name`, for the boot event. */
      readonly request: string;
      readonly reason: string;
      readonly about?: FileSubject;
    }
  | { readonly kind: 'ignore'; readonly request: string; readonly reason: string };

export function answerDatagram(datagram: Uint8Array, files: FileTable): RequestAnswer {
  const packet = decodeTftpPacket(datagram);
  switch (packet.kind) {
    case 'RRQ':
      return answerRead(packet, files);
    case 'WRQ':
      return refuse('access-violation', packet, 'writing is not possible on a boot server');
    case 'malformed':
      if (packet.about === 'RRQ' || packet.about === 'WRQ') {
        return { kind: 'refuse', error: 'illegal-operation', request: packet.about, reason: packet.problem };
      }
      return { kind: 'ignore', request: packet.about ?? 'datagram', reason: packet.problem };
    case 'DATA':
    case 'ACK':
    case 'ERROR':
    case 'OACK':
      return { kind: 'ignore', request: packet.kind, reason: 'no transfer runs on this port' };
  }
}

function answerRead(request: TftpRequest, files: FileTable): RequestAnswer {
  const mode = request.mode.toLowerCase();
  if (mode !== 'octet' && mode !== 'netascii') {
    return refuse(
      'illegal-operation',
      request,
      `mode ${JSON.stringify(request.mode)} is not served; use octet`,
    );
  }
  const normalised = normaliseName(request.filename);
  if ('problem' in normalised) return refuse('file-not-found', request, normalised.problem);
  const missing: MissingFile = { kind: 'missing', request, name: normalised.name, mode };
  const file = findFile(files, normalised.name);
  return file === undefined ? missing : answerFound(missing, file);
}

/** What was missing has been found, or has not. */
export function answerFound(
  { request, name, mode }: MissingFile,
  found: FoundFile | undefined,
): Exclude<RequestAnswer, MissingFile> {
  if (found === undefined) {
    return refuse('file-not-found', request, `no file of the name ${JSON.stringify(name)} is published`);
  }
  const about = found.about === undefined ? {} : { about: found.about };
  if ('refused' in found) return { ...refuse('file-not-found', request, found.refused), ...about };
  const { bytes } = found;
  if (mode === 'netascii' && bytes.length > MAX_NETASCII_BYTES) {
    return refuse('illegal-operation', request, 'the file is too large for netascii; use octet');
  }
  return { kind: 'transfer', request, name, mode, bytes, ...about };
}

function refuse(
  error: TftpErrorName,
  request: TftpRequest,
  reason: string,
): Extract<RequestAnswer, { kind: 'refuse' }> {
  return { kind: 'refuse', error, request: `${request.kind} ${request.filename}`, reason };
}
