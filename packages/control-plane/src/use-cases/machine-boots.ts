/**
 * What the regions remember of a machine's boots, and what it would boot now: the history from the store, the answer from the same `decide`
 * that the regions ask. Reads only. A machine that nobody has seen and no task names is `not_found`, with what to check.
 */
import { decide, LpmosError } from '@lpmos/core';
import type {
  BootTask,
  BootView,
  MachineBoots,
  MacAddress,
  RegionId,
  RegionView,
  TaskRecord,
} from '@lpmos/core';
import type { ResponseBody } from '@lpmos/api';
import { bootTask, nextBoot } from './explain-task';
import { getRegion, listRegions } from './register-region';
import type { Caller, UseCaseDeps } from './use-case';

type Answer = ResponseBody<'getMachineBoots'>;
type RegionAnswer = Answer['regions'][number];

export interface MachineBootsRequest {
  readonly mac: MacAddress;
  readonly regionId?: RegionId | undefined;
  readonly minRevision?: string | undefined;
}

export async function machineBoots(
  deps: UseCaseDeps,
  caller: Caller,
  request: MachineBootsRequest,
): Promise<Answer> {
  const { mac, regionId } = request;
  const regions =
    regionId === undefined ? await listRegions(deps, caller) : [await getRegion(deps, caller, regionId)];
  const [stored] = await Promise.all([
    deps.boots.readOf(
      mac,
      regions.map(({ metadata }) => metadata.id),
    ),
    deps.freshness.beforeRead(request.minRevision),
  ]);
  const nowMs = deps.clock.nowMs();
  const answers = regions.flatMap((region) => {
    const boots = stored.get(region.metadata.id);
    const task = decidingTask(deps, mac, region.metadata.id);
    return boots === undefined && task === undefined ? [] : [regionAnswer({ region, boots, task, nowMs })];
  });
  if (answers.length === 0) throw neverSeen(mac, regionId);
  return { mac, regions: answers };
}

/** As the region's own view has it: one task of a machine is active at most, and then it is the newest. */
function decidingTask({ cache }: UseCaseDeps, mac: MacAddress, regionId: RegionId): TaskRecord | undefined {
  return cache.query({ mac, regionId, limit: 1, offset: 0 }).tasks[0];
}

interface Facts {
  readonly region: RegionView;
  readonly boots: MachineBoots | undefined;
  readonly task: TaskRecord | undefined;
  readonly nowMs: number;
}

function regionAnswer({ region, boots, task, nowMs }: Facts): RegionAnswer {
  const deciding = task === undefined ? undefined : bootTask(task, nowMs);
  const view: BootView =
    deciding === undefined ? { known: 'unknown-machine' } : { known: 'machine', task: deciding };
  return {
    region_id: region.metadata.id,
    online: region.online,
    boots: (boots?.records ?? []).map((record) => ({ ...record })),
    dropped: boots?.dropped ?? 0,
    ...(deciding === undefined ? {} : { task: taskBody(deciding) }),
    next_boot: nextBoot(decide(view)),
  };
}

function taskBody(task: BootTask): NonNullable<RegionAnswer['task']> {
  return {
    task_id: task.id,
    status: task.status,
    attempt: task.attempt,
    ...(task.grant === undefined ? {} : { grant_live: task.grant.live }),
    ...(task.exitMethod === undefined ? {} : { exit_method: task.exitMethod }),
  };
}

function neverSeen(mac: MacAddress, regionId: RegionId | undefined): LpmosError {
  const who = regionId === undefined ? 'No region has seen' : `Region ${regionId} has not seen`;
  return new LpmosError({
    code: 'not_found',
    message:
      `${who} a boot request of ${mac}, and no task names it. Check that this is the MAC of the card that boots, ` +
      'that network boot (PXE or HTTP) is on in its firmware, that its cable leads into a network that a region serves or relays to it, ' +
      'and look at that network with `lpmos doctor`',
    details: { mac },
  });
}
