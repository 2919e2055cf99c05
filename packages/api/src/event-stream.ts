/**
 * The text/event-stream format (WHATWG HTML section 9.2.6), both ways and pure: frames to text, chunks of text to frames.
 * Opens nothing; event-client.ts reads and reconnects. A frame that never ends is bounded.
 */
import { LpmosError } from '@lpmos/core';

export interface EventFrame {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/** Our largest event is a timeline entry with a progress: a few kB. */
const MAX_FRAME_CHARACTERS = 256 * 1024;

export function writeEvent(frame: EventFrame): string {
  const id = frame.id === undefined ? '' : `id: ${frame.id}\n`;
  const data = frame.data
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('');
  return `${id}event: ${frame.event}\n${data}\n`;
}

/** A comment keeps idle proxies from cutting the stream and tells the client that the link lives. */
export function writeHeartbeat(): string {
  return ': still here\n\n';
}

/** Feeds on chunks, returns the frames that they complete. */
export function createEventParser(): { push(chunk: string): EventFrame[] } {
  let rest = '';
  let lines: string[] = [];
  let held = 0;
  return {
    push(chunk) {
      const frames: EventFrame[] = [];
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        const line = part.endsWith('\r') ? part.slice(0, -1) : part;
        if (line !== '') {
          lines.push(line);
          held += line.length;
          continue;
        }
        const frame = readFrame(lines);
        if (frame !== undefined) frames.push(frame);
        lines = [];
        held = 0;
      }
      if (held + rest.length > MAX_FRAME_CHARACTERS) {
        throw new LpmosError({ code: 'internal', message: 'The event stream sent an event without end' });
      }
      return frames;
    },
  };
}

function readFrame(lines: readonly string[]): EventFrame | undefined {
  let event = 'message';
  let id: string | undefined;
  const data: string[] = [];
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    else if (name === 'id') id = value;
    else if (name === 'data') data.push(value);
  }
  if (data.length === 0) return undefined;
  return { event, data: data.join('\n'), ...(id === undefined ? {} : { id }) };
}
