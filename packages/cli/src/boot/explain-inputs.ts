/**
 * What an explanation is made from: the machine's task as the region sees it and the region's published links. One JSON document, so that it
 * can be kept, sent to a colleague and replayed without a network. Holds no secret: the region publishes none.
 */
import { bootSchema, bootTaskSchema, linkSchema, validate } from '@lpmos/api';
import { isTaskId, LpmosError, parseMacAddress, readMacAddress } from '@lpmos/core';
import type { BootView, MacAddress, OfferedBoot, OfferedLink } from '@lpmos/core';
import type { ControlPlane, MachineBootsDocument } from '../control-plane';
import { invalidOption } from '../usage-error';

export interface ExplainInputs {
  readonly schema_version: 1;
  readonly mac: MacAddress;
  readonly region_id: string;
  readonly task?: NonNullable<MachineBootsDocument['regions'][number]['task']>;
  readonly links: readonly OfferedLink[];
  readonly boot?: OfferedBoot;
}

export interface WhichMachine {
  readonly mac: string;
  readonly region?: string;
}

export async function gatherInputs(api: ControlPlane, { mac, region }: WhichMachine): Promise<ExplainInputs> {
  const address = parseMacAddress(mac, '--mac');
  const known = await knownRegions(api, address, region);
  const regionId = region ?? (await onlyRegion(api, known));
  const { links, boot } = await api.getRegion(regionId);
  if (links === undefined) {
    throw new LpmosError({
      code: 'not_found',
      message: `Region ${regionId} has not published its links: its daemon has not run since it was registered, or is older than this command. Start it, then ask again`,
    });
  }
  const task = known.find((each) => each.region_id === regionId)?.task;
  return {
    schema_version: 1,
    mac: address,
    region_id: regionId,
    ...(task === undefined ? {} : { task }),
    links: links as readonly OfferedLink[],
    ...(boot === undefined ? {} : { boot: boot as OfferedBoot }),
  };
}

/** A machine that nobody knows can be explained as well: it is the stranger of each region. */
async function knownRegions(
  api: ControlPlane,
  mac: MacAddress,
  region: string | undefined,
): Promise<MachineBootsDocument['regions']> {
  try {
    return (await api.getMachineBoots(mac, region === undefined ? {} : { regionId: region })).regions;
  } catch (thrown) {
    if (thrown instanceof LpmosError && thrown.code === 'not_found') return [];
    throw thrown;
  }
}

async function onlyRegion(api: ControlPlane, known: MachineBootsDocument['regions']): Promise<string> {
  const withTask = known.filter((each) => each.task !== undefined);
  const candidates = [withTask, known].find((each) => each.length > 0)?.map((each) => each.region_id);
  const ids = candidates ?? (await api.listRegions()).regions.map((each) => each.region_id);
  const [first, ...others] = ids;
  if (first === undefined) throw invalidOption('--region', 'cannot be guessed: no region is registered');
  if (others.length > 0)
    throw invalidOption('--region', `is needed: the machine may be in ${ids.join(', ')}`);
  return first;
}

/** As core's `decide` wants it. */
export function viewOf({ task }: ExplainInputs): BootView {
  if (task === undefined) return { known: 'unknown-machine' };
  if (!isTaskId(task.task_id)) throw wrongFile('task.task_id is no task id');
  return {
    known: 'machine',
    task: {
      id: task.task_id,
      status: task.status,
      attempt: task.attempt,
      ...(task.grant_live === undefined ? {} : { grant: { live: task.grant_live } }),
      ...(task.exit_method === undefined ? {} : { exitMethod: task.exit_method }),
    },
  };
}

/** @throws LpmosError `invalid_argument` that says what the file lacks. */
export function parseInputs(text: string): ExplainInputs {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrongFile('it is not JSON');
  }
  const document = value as Partial<ExplainInputs> | null;
  if (typeof document !== 'object' || document === null) throw wrongFile('it is no object');
  const { schema_version, mac, region_id, links, task, boot } = document;
  if (schema_version !== 1) throw wrongFile('schema_version must be 1');
  const address = typeof mac === 'string' ? readMacAddress(mac) : undefined;
  if (address === undefined) throw wrongFile('mac must be a MAC address');
  if (typeof region_id !== 'string') throw wrongFile('region_id must be a text');
  if (!Array.isArray(links)) throw wrongFile('links must be a list');
  links.forEach((link, index) => check(linkSchema, link, `links[${index}]`));
  if (task !== undefined) check(bootTaskSchema, task, 'task');
  if (boot !== undefined) check(bootSchema, boot, 'boot');
  return { ...(document as ExplainInputs), mac: address };
}

/** By the rules of the API, from whose answers these parts were kept. */
function check(schema: Parameters<typeof validate>[0], part: unknown, path: string): void {
  const found = validate(schema, part);
  if (found.kind === 'valid') return;
  const [first] = found.problems;
  const place = [path, first?.path ?? ''].filter((each) => each !== '').join('.');
  throw wrongFile(`${place} ${first?.problem ?? 'is wrong'}`);
}

function wrongFile(problem: string): LpmosError {
  return invalidOption('--from', `must be a file that --save wrote: ${problem}`);
}
