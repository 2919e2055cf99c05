/** The one line at the bottom of a terminal that is drawn again and again. Leaves nothing behind once cleared. */
import type { TextSink } from '../terminal';

export interface LiveLine {
  draw(text: string): void;
  clear(): void;
}

const CLEAR = '\r\u001b[2K';

export function createLiveLine(sink: Pick<TextSink, 'write'>): LiveLine {
  let drawn = false;
  return {
    draw(text) {
      sink.write(`${CLEAR}${text}`);
      drawn = true;
    },
    clear() {
      if (drawn) sink.write(CLEAR);
      drawn = false;
    },
  };
}
