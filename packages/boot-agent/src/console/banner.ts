/** What a technician reads first: which machine this is, what it is here for, and what stands on its disks. Pure. */
import type { Disk, HardwareReport } from '@lpmos/core';
import type { AgentConfig } from '../config';

const RULE = '='.repeat(72);

export function bannerLines(options: {
  readonly version: string;
  readonly config: Pick<AgentConfig, 'regionId' | 'taskId' | 'mac' | 'agentAddresses'>;
  readonly report: HardwareReport;
}): string[] {
  const { config, report } = options;
  const { system, cpu, memory } = report;
  const machine =
    [system.manufacturer, system.product].filter((part) => part !== '').join(' ') || 'unknown machine';
  const ports = report.network.map(
    (port) => `${port.interface} ${port.mac} ${port.link ? port.speed : 'no link'}`,
  );
  return [
    RULE,
    `LPMOS boot agent ${options.version}`,
    `machine  ${machine}, serial ${system.service_tag || '(none)'}, ${system.firmware}`,
    `         ${cpu.cores} cores, ${memory.total_gb} GB, boot MAC ${config.mac}`,
    ...ports.map((port, index) => `${index === 0 ? 'network ' : '        '} ${port}`),
    ...report.disks.map((disk, index) => `${index === 0 ? 'disks   ' : '        '} ${diskLine(disk)}`),
    `task     ${config.taskId}`,
    ...config.agentAddresses.map((address, index) =>
      index === 0 ? `region   ${config.regionId} at ${address}` : `         or at ${address}`,
    ),
    RULE,
  ];
}

function diskLine(disk: Disk): string {
  const { contents } = disk;
  const systems = contents.partitions.map((part) => part.file_system || part.label || 'data');
  const holds =
    contents.partition_table === 'unreadable'
      ? 'unreadable partition table'
      : systems.length > 0
        ? `${contents.partition_table}: ${systems.join(', ')}`
        : contents.file_system || contents.partition_table.replace('none', 'blank');
  return `${disk.device} ${disk.type} ${disk.size_gb} GB serial ${disk.serial || '(none)'} (${holds})`;
}
