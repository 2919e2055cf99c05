/** `lpmos doctor`: looks at a network from the side of its machines and names what is wrong and what to do. Exit code by the worst finding. */
import { randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { parseMacAddress, readMacAddress } from '@lpmos/core';
import type { MacAddress } from '@lpmos/core';
import { optionText, requiredText } from '../command';
import type { CommandOptions, CommandRun } from '../command';
import { examine } from '../doctor/examine';
import { exitCodeOfFindings } from '../doctor/findings';
import type { Finding } from '../doctor/findings';
import { note, painter, printable, say, sayJson } from '../terminal';
import { invalidOption } from '../usage-error';

export const run: CommandRun = async ({ context, options }) => {
  const interfaceName = requiredText(options, 'interface');
  const { address, mac } = readInterface(interfaceName);
  const asMac = optionText(options, 'mac');
  const findings = await examine({
    interfaceName,
    address,
    mac: asMac === undefined ? mac : parseMacAddress(asMac, '--mac'),
    ...addressOption(options, 'regionAddress', '--region-address'),
    ...addressOption(options, 'relay', '--relay'),
    firstXid: randomBytes(4).readUInt32BE(),
    nowMs: context.nowMs,
    signal: context.signal,
    progress: (what) => note(context.terminal, `${what} …`),
  });
  context.signal.throwIfAborted();
  if (context.format === 'json') sayJson(context.terminal, { interface: interfaceName, findings });
  else {
    const paint = painter(context.terminal);
    for (const line of findings.flatMap((each) => lines(each, paint))) say(context.terminal, line);
  }
  return exitCodeOfFindings(findings);
};

const MARKS = {
  ok: ['green', 'ok'],
  info: ['dim', 'info'],
  warning: ['yellow', 'warning'],
  bad: ['red', 'bad'],
} as const;
const WIDTH = 8;

function lines({ check, verdict, finding, fix }: Finding, paint: ReturnType<typeof painter>): string[] {
  const [style, word] = MARKS[verdict];
  const first = `${paint(style, word.padEnd(WIDTH))}${printable(`${check}: ${finding}`)}`;
  return fix === undefined ? [first] : [first, `${' '.repeat(WIDTH)}fix: ${printable(fix)}`];
}

function readInterface(name: string): { readonly address: string; readonly mac: MacAddress } {
  const all = networkInterfaces();
  const places = all[name];
  if (places === undefined) {
    const names = Object.keys(all).filter((each) => each !== 'lo');
    throw invalidOption(
      '--interface',
      `must be an interface of this host that is up, has a link (carrier) and an address: ${names.join(', ') || 'there is none'}`,
    );
  }
  const ipv4 = places.find((place) => place.family === 'IPv4');
  if (ipv4 === undefined) {
    throw invalidOption(
      '--interface',
      `${name} has no IPv4 address; get it one by DHCP, or set one of its network for the moment`,
    );
  }
  const mac = readMacAddress(ipv4.mac);
  if (mac === undefined) throw invalidOption('--interface', `${name} is no Ethernet interface`);
  return { address: ipv4.address, mac };
}

function addressOption<K extends 'regionAddress' | 'relay'>(
  options: CommandOptions,
  name: K,
  flag: string,
): Partial<Record<K, string>> {
  const text = optionText(options, name);
  if (text === undefined) return {};
  if (!isIPv4(text)) throw invalidOption(flag, `must be an IPv4 address, not "${text}"`);
  return { [name]: text } as Record<K, string>;
}
