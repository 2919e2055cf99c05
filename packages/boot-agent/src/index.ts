/** The boot agent as a library: what tests, the simulator's makers and the ramdisk build take from it. The program is main.ts. */
export { runBootAgent } from './boot-agent';
export type { BootAgentOptions } from './boot-agent';
export { parseAgentConfig, parseCommandLine, readAgentConfig } from './config';
export type { AgentConfig, ConfigReading } from './config';
export { EXIT } from './exit-codes';
export { createNodeHostReader } from './host-reader';
export type { CommandResult, HostReader } from './host-reader';
export { probeHardware } from './probe/hardware';
