/** `lpmos task create`: from options to the seed's request. The API checks values; here only what never reaches it is checked. */
import type { RequestBody } from '@lpmos/api';
import { BOOT_ORDERS, EXIT_METHODS, parseMacAddress } from '@lpmos/core';
import { optionList, optionText, requiredText } from '../command';
import type { CommandContext, CommandOptions, CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { splitTag } from '../tag';
import { checkSelector } from '../target-disk';
import { note, say, sayJson } from '../terminal';
import { invalidOption } from '../usage-error';

export const run: CommandRun = async ({ context, options }) => {
  const body = await requestBody(context, options);
  const api = await context.connect();
  const key = optionText(options, 'idempotencyKey');
  const answer = await api.createTask(body, key === undefined ? {} : { idempotencyKey: key });
  if (context.format === 'json') sayJson(context.terminal, answer);
  else {
    say(context.terminal, answer.task_id);
    note(context.terminal, `Created. Power the machine on, then: lpmos task watch ${answer.task_id}`);
  }
  return EXIT_DONE;
};

type NewTask = RequestBody<'createTask'>;

async function requestBody(context: CommandContext, options: CommandOptions): Promise<NewTask> {
  const disk = requiredText(options, 'disk');
  checkSelector(disk);
  const hostname = optionText(options, 'hostname');
  const keys = await Promise.all(optionList(options, 'sshKey').map((file) => readPublicKeys(context, file)));
  const tags = optionList(options, 'tag').map(splitTag);
  return {
    region_id: requiredText(options, 'region'),
    target_mac: parseMacAddress(requiredText(options, 'mac'), '--mac'),
    os_type: requiredText(options, 'os'),
    os_version: requiredText(options, 'osVersion'),
    disk_layout: disk,
    network_config: readNetwork(requiredText(options, 'network')),
    ...(hostname === undefined ? {} : { hostname }),
    ...machineBoot(options),
    ...(keys.length === 0 ? {} : { ssh_authorized_keys: keys.flat() }),
    ...(tags.length === 0 ? {} : { tags: Object.fromEntries(tags) }),
  };
}

function machineBoot(options: CommandOptions): Pick<NewTask, 'boot'> {
  const exitMethod = readWord(options, '--exit-method', EXIT_METHODS);
  const order = readWord(options, '--boot-order', BOOT_ORDERS);
  if (exitMethod === undefined && order === undefined) return {};
  return {
    boot: {
      ...(exitMethod === undefined ? {} : { exit_method: exitMethod }),
      ...(order === undefined ? {} : { order }),
    },
  };
}

function readWord<T extends string>(
  options: CommandOptions,
  flag: '--exit-method' | '--boot-order',
  words: readonly T[],
): T | undefined {
  const text = optionText(options, flag === '--exit-method' ? 'exitMethod' : 'bootOrder');
  if (text === undefined) return undefined;
  const word = words.find((known) => known === text);
  if (word === undefined) throw invalidOption(flag, `must be one of ${words.join(', ')}, not "${text}"`);
  return word;
}

function readNetwork(text: string): 'dhcp' {
  if (text === 'dhcp') return text;
  throw invalidOption('--network', `must be dhcp, the only one so far, not "${text}"`);
}

/** One key a line, comments and blank lines left out. The mistake that matters is to send the private half. */
async function readPublicKeys(context: CommandContext, file: string): Promise<string[]> {
  let text: string;
  try {
    text = await context.readFile(file);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw invalidOption('--ssh-key', `must be a readable file: ${reason}`);
  }
  if (text.includes('PRIVATE KEY')) {
    throw invalidOption('--ssh-key', `${file} is a private key; give the public one, ${file}.pub`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw invalidOption('--ssh-key', `${file} holds no key`);
  return keys;
}
