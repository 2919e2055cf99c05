/**
 * Regions: registration by the hub, and what a region's leading daemon says of itself. Reads give RegionView of core.
 * A region's tag is reserved by a key of its own in the registering transaction, so that two regions never share a key range.
 * Every write of a daemon compares its fence; the heartbeat hangs on the session's lease, and online means that it is there.
 */
import { isoTime, LpmosError } from '@lpmos/core';
import type {
  Fence,
  MacAddress,
  RegionCapabilities,
  RegionId,
  RegionMetadata,
  RegionView,
  TaskId,
  WriteOutcome,
} from '@lpmos/core';
import { agentKey, regionKey, regionTagKey, regionTagsRange } from './keys';
import { absent, present, readRange } from './kv';
import type { Kv, KvEntry, TxnWrite } from './kv';
import { readKeys } from './read-keys';
import { codecs } from './records';
import { holdsFence } from './task-writes';

export interface RegionStore {
  /** Refused: `already_exists`, naming the region that has the id or the tag. */
  registerRegion(metadata: RegionMetadata): Promise<WriteOutcome<RegionMetadata>>;
  /**
   * All regions by id; without what a region wrote of itself when that does not decode.
   * @throws LpmosError `unavailable` | `deadline_exceeded` | `corrupt` (what the hub wrote).
   */
  listRegions(): Promise<RegionView[]>;
  /** @throws as above, and `corrupt` for what the region wrote. */
  readRegion(id: RegionId): Promise<RegionView | undefined>;
  /** Says "the leader is alive" until the session's lease ends. Refused: `not_found`, `conflict` (no longer leading). */
  heartbeat(beat: Heartbeat): Promise<WriteOutcome<undefined>>;
  putCapabilities(capabilities: RegionCapabilities, fence: Fence): Promise<WriteOutcome<undefined>>;
  putClientStatus(status: 'online' | 'offline', fence: Fence): Promise<WriteOutcome<undefined>>;
  /** What a region saw of an agent. Advisory: no decision may rest on it. */
  putAgent(agent: AgentSighting, fence: Fence): Promise<WriteOutcome<undefined>>;
}

export interface Heartbeat {
  readonly fence: Fence;
  readonly nowMs: number;
  /** Lease whose TTL is the heartbeat's (HEARTBEAT_TTL_SECONDS). */
  readonly leaseId: string;
}

export interface AgentSighting {
  readonly mac: MacAddress;
  readonly seenAtMs: number;
  readonly taskId?: TaskId;
  readonly info?: Readonly<Record<string, string>>;
}

/** A page of regions per read, three keys each: under the limit of operations in one transaction. */
const REGIONS_PER_READ = 40;

export function createRegionStore({ kv }: { readonly kv: Kv }): RegionStore {
  return {
    registerRegion: (metadata) => register(kv, metadata),
    listRegions: async () => {
      const tags = await readRange(kv, regionTagsRange());
      const ids = tags.entries.map((entry) => codecs.regionTag.decode(entry.key, entry.value).region_id);
      const views: RegionView[] = [];
      for (let from = 0; from < ids.length; from += REGIONS_PER_READ) {
        views.push(...(await readViews(kv, ids.slice(from, from + REGIONS_PER_READ), listedView)));
      }
      return views.sort((a, b) => (a.metadata.id < b.metadata.id ? -1 : 1));
    },
    readRegion: async (id) => (await readViews(kv, [id], viewOf))[0],
    heartbeat: async ({ fence, nowMs, leaseId }) => {
      const key = regionKey(fence.regionId, 'client/heartbeat');
      return fenced(kv, fence, [{ op: 'put', key, value: codecs.heartbeat.encode(isoTime(nowMs)), leaseId }]);
    },
    putCapabilities: async (capabilities, fence) => {
      const key = regionKey(fence.regionId, 'client/capabilities');
      return fenced(kv, fence, [{ op: 'put', key, value: codecs.capabilities.encode(capabilities) }]);
    },
    putClientStatus: async (status, fence) =>
      fenced(kv, fence, [{ op: 'put', key: regionKey(fence.regionId, 'client/status'), value: status }]),
    putAgent: async (agent, fence) => fenced(kv, fence, sightingWrites(agent)),
  };
}

async function register(kv: Kv, metadata: RegionMetadata): Promise<WriteOutcome<RegionMetadata>> {
  const key = regionKey(metadata.id, 'metadata');
  const tagKey = regionTagKey(metadata.tag);
  const outcome = await kv.txn({
    compares: [absent(key), absent(tagKey)],
    then: [
      { op: 'put', key, value: codecs.regionMetadata.encode(metadata) },
      {
        op: 'put',
        key: tagKey,
        value: codecs.regionTag.encode({ schema_version: 1, region_id: metadata.id }),
      },
    ],
    otherwise: [{ start: tagKey }],
  });
  if (outcome.kind !== 'done') return outcome;
  if (outcome.succeeded) return { kind: 'done', revision: String(outcome.revision), value: metadata };
  return { kind: 'refused', error: taken(metadata, outcome.reads[0]?.[0]) };
}

function taken({ id, tag }: RegionMetadata, tagEntry: KvEntry | undefined): LpmosError {
  const owner = tagEntry === undefined ? id : codecs.regionTag.decode(tagEntry.key, tagEntry.value).region_id;
  const message =
    owner === id
      ? `Region ${id} is registered already`
      : `Region ${id} would share its key range (tag ${tag}) with region ${owner}; choose another id`;
  return new LpmosError({ code: 'already_exists', message, details: { region_id: owner } });
}

/** Reads metadata, heartbeat and capabilities of some regions in one go; those not registered are left out. */
async function readViews(
  kv: Kv,
  ids: readonly RegionId[],
  view: (found: RegionEntries) => RegionView,
): Promise<RegionView[]> {
  if (ids.length === 0) return [];
  const parts = ['metadata', 'client/heartbeat', 'client/capabilities'] as const;
  const keys = ids.flatMap((id) => parts.map((part) => regionKey(id, part)));
  const found = await readKeys(kv, keys, 'The regions');
  return ids.flatMap((_, index) => {
    const [metadata, heartbeat, capabilities] = found.slice(index * parts.length);
    return metadata === undefined ? [] : [view({ metadata, heartbeat, capabilities })];
  });
}

interface RegionEntries {
  readonly metadata: KvEntry;
  /** What the region itself writes. */
  readonly heartbeat: KvEntry | undefined;
  readonly capabilities: KvEntry | undefined;
}

/**
 * In a list, what one region wrote badly (or a newer daemon of it) must not hide all others: it stands there without it. Who reads that
 * region alone is told which value it is.
 */
function listedView(entries: RegionEntries): RegionView {
  try {
    return viewOf(entries);
  } catch {
    return {
      ...viewOf({ ...entries, capabilities: undefined, heartbeat: undefined }),
      online: entries.heartbeat !== undefined,
    };
  }
}

function viewOf({ metadata, heartbeat, capabilities }: RegionEntries): RegionView {
  return {
    metadata: codecs.regionMetadata.decode(metadata.key, metadata.value),
    online: heartbeat !== undefined,
    ...(heartbeat === undefined
      ? {}
      : { last_heartbeat: codecs.heartbeat.decode(heartbeat.key, heartbeat.value) }),
    ...(capabilities === undefined
      ? {}
      : { capabilities: codecs.capabilities.decode(capabilities.key, capabilities.value) }),
  };
}

/** Writes only while the region is registered and its leader is still the writer. */
export async function fenced(
  kv: Kv,
  fence: Fence,
  writes: readonly TxnWrite[],
): Promise<WriteOutcome<undefined>> {
  const registered = regionKey(fence.regionId, 'metadata');
  const outcome = await kv.txn({
    compares: [present(registered), holdsFence(fence)],
    then: writes,
    otherwise: [{ start: registered }],
  });
  if (outcome.kind !== 'done') return outcome;
  if (outcome.succeeded) return { kind: 'done', revision: String(outcome.revision), value: undefined };
  if (outcome.reads[0]?.[0] === undefined) {
    const message = `Region ${fence.regionId} is not registered; register it first`;
    return { kind: 'refused', error: new LpmosError({ code: 'not_found', message }) };
  }
  const message = `This daemon no longer leads region ${fence.regionId}; nothing was written`;
  return { kind: 'refused', error: new LpmosError({ code: 'conflict', message, details: { fenced: true } }) };
}

function sightingWrites({ mac, seenAtMs, taskId, info }: AgentSighting): TxnWrite[] {
  const writes: TxnWrite[] = [{ op: 'put', key: agentKey(mac, 'last_seen'), value: isoTime(seenAtMs) }];
  if (taskId !== undefined) writes.push({ op: 'put', key: agentKey(mac, 'task_id'), value: taskId });
  if (info !== undefined) {
    const value = JSON.stringify({ schema_version: 1, ...info });
    writes.push({ op: 'put', key: agentKey(mac, 'info'), value });
  }
  return writes;
}
