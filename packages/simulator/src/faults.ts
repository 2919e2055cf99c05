/**
 * What goes wrong with machines, as hooks: power cut at a named point, hardware that changes between report and install, bits that
 * flip on the way to the platter, cables pulled. Faults are values; combine them and hand them to a machine.
 */
import type { HardwareReport } from '@lpmos/core';
import { generateExtraDisk } from './hardware-generator';
import type { MachinePoint } from './machine-points';
import type { MachineHooks, MachineMoment } from './machine-types';

/** When a fault strikes: the nth time that a machine passes a point (1 is the first). */
export interface FaultTime {
  readonly point: MachinePoint;
  readonly occurrence?: number;
}

/** Does something each time its moment comes, and once only. */
export function when(time: FaultTime, act: (moment: MachineMoment) => void | Promise<void>): MachineHooks {
  const wanted = time.occurrence ?? 1;
  let passed = 0;
  return {
    async at(point, moment) {
      if (point !== time.point) return;
      passed += 1;
      if (passed === wanted) await act(moment);
    },
  };
}

/** Pulls the plug; `off` leaves the machine off, `reset` has it boot again. */
export function powerCutAt(time: FaultTime, then: 'off' | 'reset'): MachineHooks {
  return when(time, ({ machine }) => {
    /** Not awaited: the machine can only stop once this hook has returned. */
    if (then === 'off') void machine.powerOff();
    else machine.reset();
  });
}

/** Cuts the agent's stream; the session is to be resumed. */
export function linkBreakAt(time: FaultTime): MachineHooks {
  return when(time, ({ machine }) => machine.breakLink());
}

export function hardwareChangeAt(
  time: FaultTime,
  change: (hardware: HardwareReport) => HardwareReport,
): MachineHooks {
  return when(time, ({ machine }) => machine.changeHardware(change));
}

/** A technician plugs in one more disk. */
export function secondDiskAt(time: FaultTime, seed: number): MachineHooks {
  return hardwareChangeAt(time, (hardware) => ({
    ...hardware,
    disks: [...hardware.disks, generateExtraDisk(seed, hardware.disks.length)],
  }));
}

/** A technician replaces the first disk by another of its size. */
export function swappedDiskAt(time: FaultTime, seed: number): MachineHooks {
  return hardwareChangeAt(time, (hardware) => ({
    ...hardware,
    disks: [generateExtraDisk(seed, 0, hardware.disks[0]?.size_bytes), ...hardware.disks.slice(1)],
  }));
}

/** Half of the memory fails its test at power-on. */
export function lostMemoryAt(time: FaultTime): MachineHooks {
  return hardwareChangeAt(time, (hardware) => {
    const dimms = hardware.memory.dimms.slice(0, Math.floor(hardware.memory.dimms.length / 2));
    return { ...hardware, memory: { total_gb: dimms.reduce((sum, { size_gb }) => sum + size_gb, 0), dimms } };
  });
}

/** One bit of this byte of the disk is not what was written: reading back must find it. */
export function flippedBitAt(byteOffset: number): MachineHooks {
  return {
    onDiskWrite(offset, bytes) {
      const index = byteOffset - offset;
      const value = bytes[index];
      if (value === undefined) return bytes;
      const changed = Uint8Array.from(bytes);
      changed[index] = value ^ 1;
      return changed;
    },
  };
}

/** The disk reports an error at this byte. */
export function writeErrorAt(byteOffset: number): MachineHooks {
  return {
    onDiskWrite(offset, bytes) {
      if (byteOffset >= offset && byteOffset < offset + bytes.length) {
        throw new Error(`EIO: the disk cannot write byte ${byteOffset}`);
      }
      return bytes;
    },
  };
}

/** All of them, in this order at every point. */
export function combineFaults(...faults: readonly MachineHooks[]): MachineHooks {
  return {
    async at(point, moment) {
      for (const fault of faults) await fault.at?.(point, moment);
    },
    onCollect: (report, moment) =>
      faults.reduce((seen, fault) => fault.onCollect?.(seen, moment) ?? seen, report),
    onDiskWrite: (offset, bytes) =>
      faults.reduce((written, fault) => fault.onDiskWrite?.(offset, written) ?? written, bytes),
  };
}
