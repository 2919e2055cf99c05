/** The boot agent as a library: what tests, the simulator's makers and the ramdisk build take from it. The program is main.ts. */
export { runBootAgent } from './boot-agent';
export type { BootAgentOptions } from './boot-agent';
export { parseAgentConfig, parseCommandLine, readAgentConfig } from './config';
export type { AgentConfig, ConfigReading } from './config';
export { EXIT } from './exit-codes';
export { createNodeHostReader } from './host-reader';
export type { CommandResult, HostReader } from './host-reader';
export { probeHardware } from './probe/hardware';
// The bench on which integration tests run a whole agent; nothing of it is in the bundle of main.ts.
export { prepareBench, TASK_ID as BENCH_TASK_ID } from './testing/agent-bench';
export type { Bench, OrderChange } from './testing/agent-bench';
export type { Message as BenchMessage } from './testing/fake-region';
export { canMountLoop } from './testing/fixture-machine';
export { smbiosTable } from './testing/smbios-table';
export { makeGrantKeys } from './testing/test-grant';
export { compressImage, makeTestImage } from './testing/test-image';
