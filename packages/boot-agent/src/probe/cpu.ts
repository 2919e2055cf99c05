/** Processors: model, cores and threads from the topology of /proc/cpuinfo, with SMBIOS for what it does not say. Pure but for one read. */
import type { HardwareReport } from '@lpmos/core';
import type { HostReader } from '../host-reader';
import type { SmbiosFacts } from './smbios';

export function parseCpuinfo(text: string): HardwareReport['cpu'] {
  const processors = text
    .split(/\n\s*\n/)
    .map(parseBlock)
    .filter((block) => block.has('processor'));
  const cores = new Set<string>();
  for (const block of processors) {
    const core = block.get('core id');
    // Guests and arm64 may show no topology: then every processor counts as a core.
    cores.add(
      core === undefined ? `cpu ${block.get('processor')}` : `${block.get('physical id') ?? '0'}/${core}`,
    );
  }
  const [first] = processors;
  return {
    model: (first?.get('model name') ?? '').replace(/\s+/g, ' '),
    cores: cores.size,
    threads: processors.length,
  };
}

function parseBlock(block: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) fields.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return fields;
}

export async function probeCpu(reader: HostReader, smbios: SmbiosFacts): Promise<HardwareReport['cpu']> {
  const cpu = parseCpuinfo((await reader.readFile('/proc/cpuinfo')) ?? '');
  return { ...cpu, model: cpu.model || (smbios.sockets[0]?.model ?? '') };
}
