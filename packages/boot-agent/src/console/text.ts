/**
 * Text for the machine's console: printable ASCII, at most 79 columns, on serial lines and VGA alike. Pure.
 * Invariant: nothing that a region, an image server or a disk says can move the cursor or colour the screen.
 */
const COLUMNS = 79;
const INDENT = '    ';

/** Lines that fit, broken at blanks where there are any; continuations are indented. */
export function consoleLines(text: string): string[] {
  const lines: string[] = [];
  let rest = text.replace(/[^\x20-\x7e]+/g, ' ').trimEnd();
  let room = COLUMNS;
  while (rest.length > room) {
    const blank = rest.lastIndexOf(' ', room);
    const cut = blank > INDENT.length ? blank : room;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = INDENT + rest.slice(cut).trimStart();
    room = COLUMNS;
  }
  return [...lines, rest];
}
