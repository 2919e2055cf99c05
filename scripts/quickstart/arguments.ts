/** The arguments of the quickstart. Pure. */

export interface QuickstartArgs {
  readonly yes: boolean;
  readonly simulate: boolean;
  readonly help: boolean;
  /** Port of the API on 127.0.0.1. */
  readonly port: number;
  readonly memoryMiB: number;
  readonly machines: number;
}

export const QUICKSTART_HELP = `npm run quickstart -- [options]

Starts etcd, a control plane and the region "lab", powers on a real machine (QEMU) that boots over the network, shows its
hardware, asks for approval, installs Debian on its disk, reboots it from the disk and waits until it says that it is up.

  --yes            approve without asking; end when the host is up
  --simulate       simulated machines instead of QEMU: the same bytes on loopback, no root, no packages of QEMU
  --machines N     how many machines with --simulate (default 3, at most 500)
  --port N         port of the API on 127.0.0.1 (default 8080; 0 takes a free one)
  --memory N       MiB of memory of the machine (default 512)
  --help           this text

Examples:
  npm run quickstart
  npm run quickstart -- --yes
  npm run quickstart -- --simulate --machines 20 --yes`;

const DEFAULTS: QuickstartArgs = {
  yes: false,
  simulate: false,
  help: false,
  port: 8080,
  memoryMiB: 512,
  machines: 3,
};

const NUMBERS: Readonly<
  Record<
    string,
    { readonly name: 'port' | 'memoryMiB' | 'machines'; readonly min: number; readonly max: number }
  >
> = {
  '--port': { name: 'port', min: 0, max: 65_535 },
  '--memory': { name: 'memoryMiB', min: 256, max: 65_536 },
  '--machines': { name: 'machines', min: 1, max: 500 },
};

export function parseQuickstartArgs(words: readonly string[]): QuickstartArgs | { readonly problem: string } {
  let args = DEFAULTS;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === '--yes') args = { ...args, yes: true };
    else if (word === '--simulate') args = { ...args, simulate: true };
    else if (word === '--help' || word === '-h') args = { ...args, help: true };
    else {
      const number = NUMBERS[word];
      if (number === undefined) return { problem: `unknown argument ${word}` };
      const text = words[(index += 1)] ?? '';
      const value = Number(text);
      if (!/^\d+$/.test(text) || value < number.min || value > number.max) {
        return { problem: `${word} must be a whole number from ${number.min} to ${number.max}` };
      }
      args = { ...args, [number.name]: value };
    }
  }
  return args;
}

/** Larger fleets are approved without a question: nobody answers it a hundred times. */
export const MOST_ASKED = 3;

/** Said before minutes of work end in a question that nobody can answer. */
export function needsTerminal(
  { yes, simulate, machines }: QuickstartArgs,
  canAsk: boolean,
): string | undefined {
  if (yes || canAsk || (simulate && machines > MOST_ASKED)) return undefined;
  return 'there is no terminal to ask for the approval on; run it in one, or approve everything with --yes';
}
