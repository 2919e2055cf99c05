/**
 * An iPXE script as a typed list of steps, and its one rendering. Nobody else writes script text: values go through
 * escape.ts, so a rendered script has exactly one line for each step, whatever the values were.
 * Only commands are here that Debian's iPXE of 2019 has (no params, imgverify, poweroff; inc on typed settings only).
 * A step that fetches cannot be built without saying where to go when it fails: iPXE would end the script there and
 * leave the machine at a dead prompt.
 */
import { invalidField, LpmosError } from '@lpmos/core';
import {
  commandWord,
  consoleText,
  fetchableUrl,
  harmlessSetting,
  labelName,
  settingName,
  wholeNumber,
} from './escape';

/** A piece of text: literal, or the value that a setting has when the machine runs the line. */
export type IpxeText = string | { readonly setting: string };

/** Which steps follow a command's success or failure. `ignore` goes on; without it a failure ends the script. */
export interface Flow {
  readonly andGoto?: string;
  readonly orGoto?: string;
  readonly or?: 'ignore';
}

export type KernelArgument = readonly [key: string, value: string];

export type IpxeStep =
  | { readonly do: 'echo'; readonly text: readonly IpxeText[] }
  | ({ readonly do: 'set'; readonly setting: string; readonly value: string } & Flow)
  | ({ readonly do: 'clear'; readonly setting: string } & Flow)
  | ({ readonly do: 'inc'; readonly setting: string } & Flow)
  | ({ readonly do: 'isset'; readonly setting: string } & Flow)
  | ({ readonly do: 'iseq'; readonly setting: string; readonly value: string } & Flow)
  | { readonly do: 'label'; readonly name: string }
  | { readonly do: 'goto'; readonly label: string }
  | ({ readonly do: 'sleep'; readonly seconds: number } & Flow)
  | ({ readonly do: 'dhcp' } & Flow)
  | ({ readonly do: 'imgfree' } & Flow)
  | {
      readonly do: 'kernel';
      readonly url: string;
      readonly arguments: readonly KernelArgument[];
      readonly orGoto: string;
    }
  | { readonly do: 'initrd'; readonly name: string; readonly url: string; readonly orGoto: string }
  | { readonly do: 'boot'; readonly orGoto: string }
  | { readonly do: 'chain'; readonly url: string; readonly orGoto: string }
  | ({ readonly do: 'sanboot'; readonly drive: number } & Flow)
  | { readonly do: 'reboot' }
  /** Back to the firmware. On UEFI a status other than 0 makes it try its next boot entry. */
  | { readonly do: 'exit'; readonly status: 0 | 1 };

export type IpxeScript = readonly IpxeStep[];

/** The magic line by which iPXE tells a script from an image. */
export const IPXE_MAGIC = '#!ipxe';
/** x86 Linux takes 2047 characters; iPXE cuts nothing and the kernel would cut silently. */
const MAX_KERNEL_LINE = 2047;
const MAX_SCRIPT_BYTES = 64 * 1024;
const MAX_SLEEP_SECONDS = 3600;

/** @throws LpmosError `invalid_argument` naming the value that an iPXE script cannot carry. */
export function renderIpxeScript(script: IpxeScript): string {
  checkLabels(script);
  const text = [IPXE_MAGIC, ...script.map(renderStep), ''].join('\n');
  if (text.length < MAX_SCRIPT_BYTES) return text;
  throw new LpmosError({
    code: 'invalid_argument',
    message: `the script has ${text.length} bytes, over 64 KiB`,
  });
}

function renderStep(step: IpxeStep): string {
  const words = [...commandWords(step), ...flowWords(step)];
  return words.filter((word) => word !== '').join(' ');
}

function commandWords(step: IpxeStep): string[] {
  switch (step.do) {
    case 'echo':
      return ['echo', renderText(step.text)];
    case 'set':
      return ['set', settingName(step.setting), commandWord(step.value, 'value')];
    case 'clear':
    case 'inc':
      return [step.do, settingName(step.setting)];
    case 'isset':
      return ['isset', reference(step.setting)];
    case 'iseq':
      return ['iseq', reference(step.setting), commandWord(step.value, 'value')];
    case 'label':
      return [`:${labelName(step.name)}`];
    case 'goto':
      return ['goto', labelName(step.label)];
    case 'sleep':
      return ['sleep', wholeNumber(step.seconds, 'seconds', [0, MAX_SLEEP_SECONDS])];
    case 'kernel':
      return ['kernel', fetchableUrl(step.url, 'kernel_url'), ...kernelLine(step.arguments)];
    case 'initrd':
      return [
        'initrd',
        '--name',
        commandWord(step.name, 'initrd_name'),
        fetchableUrl(step.url, 'initrd_url'),
      ];
    case 'chain':
      return ['chain', '--autofree', '--replace', fetchableUrl(step.url, 'chain_url')];
    case 'sanboot':
      return ['sanboot', '--no-describe', '--drive', `0x${wholeDrive(step.drive)}`];
    case 'exit':
      return ['exit', String(step.status)];
    case 'dhcp':
    case 'imgfree':
    case 'boot':
    case 'reboot':
      return [step.do];
  }
}

function flowWords(step: IpxeStep): string[] {
  const flow: Flow & { readonly do: string } = step;
  const then = flow.andGoto === undefined ? [] : ['&&', 'goto', labelName(flow.andGoto)];
  if (flow.orGoto !== undefined) return [...then, '||', 'goto', labelName(flow.orGoto)];
  // An empty alternative is success: the script goes on with its next line.
  return flow.or === 'ignore' ? [...then, '||'] : then;
}

function kernelLine(parts: readonly KernelArgument[]): string[] {
  const words = parts.map(([key, value]) => {
    const name = commandWord(key, 'kernel_argument');
    return value === '' ? name : `${name}=${commandWord(value, `kernel_argument ${name}`)}`;
  });
  const length = words.join(' ').length;
  if (length <= MAX_KERNEL_LINE) return words;
  const problem = `has ${length} characters, more than the ${MAX_KERNEL_LINE} that Linux takes; shorten the arguments`;
  throw invalidField('kernel_arguments', problem);
}

function renderText(text: readonly IpxeText[]): string {
  return text
    .map((piece) => (typeof piece === 'string' ? consoleText(piece) : reference(piece.setting)))
    .filter((piece) => piece !== '')
    .join(' ');
}

function reference(setting: string): string {
  return ['${', harmlessSetting(setting), '}'].join('');
}

function wholeDrive(drive: number): string {
  wholeNumber(drive, 'drive', [0, 255]);
  return drive.toString(16).padStart(2, '0');
}

/** A jump to nowhere ends the script at run time, on a machine that nobody watches. */
function checkLabels(script: IpxeScript): void {
  const known = new Set(script.map((step) => (step.do === 'label' ? step.name : '')));
  const wanted = script.flatMap((step) => {
    const flow: Flow & { readonly do: string } = step;
    return [step.do === 'goto' ? step.label : undefined, flow.andGoto, flow.orGoto];
  });
  const missing = wanted.find((label) => label !== undefined && !known.has(label));
  if (missing !== undefined) {
    throw new LpmosError({ code: 'invalid_argument', message: `label ${missing} is not in the script` });
  }
}
