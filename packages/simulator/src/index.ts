/** Simulated machines for tests, demonstrations and load: the public face of the package. */
export { createMachine } from './machine';
export type {
  Machine,
  MachineEvent,
  MachineHooks,
  MachineMoment,
  MachineNetwork,
  MachineOptions,
  MachineStage,
  Outcome,
  OutcomeKind,
} from './machine-types';
export { MACHINE_POINTS } from './machine-points';
export type { MachinePoint } from './machine-points';
export { fleetMac, MILESTONES, runFleet } from './fleet';
export type { FleetOptions, FleetResult, FleetStatistics, Milestone } from './fleet';
export {
  combineFaults,
  flippedBitAt,
  hardwareChangeAt,
  linkBreakAt,
  lostMemoryAt,
  powerCutAt,
  secondDiskAt,
  swappedDiskAt,
  when,
  writeErrorAt,
} from './faults';
export type { FaultTime } from './faults';
export { BLANK_CONTENTS, generateExtraDisk, generateHardware } from './hardware-generator';
export type { GeneratorOptions } from './hardware-generator';
export { createMemoryStorage, openFileStorage } from './disk-storage';
export type { DiskStorage } from './disk-storage';
export { createVirtualDisk, DiskViolation } from './virtual-disk';
export type { DiskWriteRecord, DiskWriter, InstalledSystem, VirtualDisk } from './virtual-disk';
export { isVerifiedGrant, verifyGrant } from './verify-grant';
export type { RefusedGrant, VerifiedGrant } from './verify-grant';
export { createSeededRandom } from './seeded-random';
export type { SeededRandom } from './seeded-random';
export { openRelaySocket } from './relay-socket';
export type { RelaySocket, RelaySocketOptions } from './relay-socket';
export { CpioError, readInitramfs } from './cpio-reader';
export { readSiteFiles } from './site-files';
export type { SiteFiles } from './site-files';
export { runSimulator } from './program';
