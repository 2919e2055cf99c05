/**
 * One request for a file, from name to last byte. Status and range come from asset-answer.ts, the pumping is in
 * send-file.ts; here the asset is opened and surely closed, downloads are counted, and each is reported.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@lpmos/core';
import type { BootEvent } from '../boot-event';
import { answerAsset, type AssetAnswer, type AssetConditions } from './asset-answer';
import type { AssetSource, OpenAsset } from './asset-files';
import { chunkBytes, createPieces, sendBody } from './send-file';
import { createSharedBlocks } from './shared-blocks';

/**
 * A client that needs longer for a piece (20 Mbit/s) gains nothing from shared blocks and would keep them from those that
 * do: for the rest of its download it has buffers of its own.
 */
const SLOW_PIECE_MS = 200;

/** Whom nothing has been sent for so long is no load: as many as make others wait could otherwise hold a hall back for ever, for nothing. */
const STANDS_STILL_MS = 10_000;

export type Report = (outcome: BootEvent['outcome'], reason: string, bytes?: number) => void;

export interface DownloadRequest {
  readonly source: AssetSource;
  readonly name: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly report: Report;
}

export interface Downloads {
  /** Downloads that get on. */
  active(): number;
  /** @returns false when nothing is published under that name, and then nothing has been answered. */
  serve(download: DownloadRequest): Promise<boolean>;
}

export function createDownloads(clock: Clock): Downloads {
  const running = new Set<{ sentMs: number }>();
  let heldBytes = 0;
  const blocks = createSharedBlocks();

  const send = async (asset: OpenAsset, answer: AssetAnswer, download: DownloadRequest) => {
    const { response, report } = download;
    const { socket } = download.request;
    const gone = new AbortController();
    const leave = () => gone.abort();
    if (socket.destroyed) leave();
    socket.once('close', leave);
    const startedMs = clock.monotonicMs();
    const mine = { sentMs: startedMs };
    let sent = 0;
    let slow = false;
    const onSent = (bytes: number) => {
      const nowMs = clock.monotonicMs();
      slow ||= nowMs - mine.sentMs > SLOW_PIECE_MS;
      mine.sentMs = nowMs;
      sent += bytes;
    };
    const shared = blocks.join(asset);
    const pieces = createPieces({
      asset,
      shared,
      chunkBytes: () => {
        const chunk = chunkBytes(heldBytes, answer.lengthBytes);
        heldBytes += 2 * chunk;
        return chunk;
      },
      slow: () => slow,
    });
    running.add(mine);
    try {
      const { first, lengthBytes } = answer;
      await sendBody({ asset, pieces, first, lengthBytes, to: response, gone: gone.signal, onSent });
      response.end();
      report('completed', `sent in ${Math.round(clock.monotonicMs() - startedMs)} ms`, sent);
    } catch (error) {
      // The length is promised already: only a broken connection tells the client that the file is not whole.
      response.destroy();
      report('failed', error instanceof Error ? error.message : 'the download broke', sent);
    } finally {
      socket.off('close', leave);
      running.delete(mine);
      heldBytes -= pieces.ownBytes();
      shared?.leave();
    }
  };

  return {
    active() {
      const sinceMs = clock.monotonicMs() - STANDS_STILL_MS;
      let active = 0;
      for (const { sentMs } of running) if (sentMs >= sinceMs) active += 1;
      return active;
    },
    async serve(download) {
      const { source, name, request, response, report } = download;
      const asset = await source.open(name);
      if (asset === undefined) return false;
      try {
        const answer = answerAsset(name, asset, conditionsOf(request));
        response.writeHead(answer.status, answer.headers);
        report(answer.status >= 400 ? 'refused' : 'answered', `status ${answer.status}`);
        if (request.method === 'HEAD' || answer.lengthBytes === 0) response.end();
        else await send(asset, answer, download);
      } finally {
        await asset.close();
      }
      return true;
    },
  };
}

/** A range is of GET alone (RFC 9110 section 14.2): who asks HEAD first wants to know the size of the whole. */
function conditionsOf({ method, headers }: IncomingMessage): AssetConditions {
  const ranges = { range: headers.range, ifRange: headers['if-range'] as string | undefined };
  return {
    ...{ ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] },
    ...(method === 'GET' ? ranges : {}),
  };
}
