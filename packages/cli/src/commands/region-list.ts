/** `lpmos region list`. */
import type { CommandRun } from '../command';
import type { ListedRegion } from '../control-plane';
import { describeDuration } from '../duration';
import { EXIT_DONE } from '../exit-codes';
import { table } from '../output/table';
import { say, sayJson } from '../terminal';

export const run: CommandRun = async ({ context }) => {
  const api = await context.connect();
  const { regions } = await api.listRegions();
  if (context.format === 'json') {
    sayJson(context.terminal, { regions });
    return EXIT_DONE;
  }
  const rows = regions.map((region) => row(region, context.nowMs()));
  for (const line of table(['REGION', 'NAME', 'DAEMON', 'HEARTBEAT', 'IMAGES'], rows))
    say(context.terminal, line);
  return EXIT_DONE;
};

function row(region: ListedRegion, nowMs: number): string[] {
  const images = region.images.map((image) => `${image.os_type} ${image.os_version}`);
  const heartbeat = region.last_heartbeat
    ? `${describeDuration(nowMs - Date.parse(region.last_heartbeat))} ago`
    : '-';
  const daemon = region.online ? 'online' : 'offline';
  return [region.region_id, region.display_name, daemon, heartbeat, images.join(', ') || '-'];
}
