/** The iPXE half of netboot: scripts as typed steps, their rendering, the scripts of boot decisions, and an interpreter. */
export {
  renderIpxeScript,
  type Flow,
  type IpxeScript,
  type IpxeStep,
  type IpxeText,
  type KernelArgument,
} from './script';
export {
  bootScript,
  jittered,
  problemScript,
  type AgentBoot,
  type BootScriptFacts,
  type RetryPolicy,
} from './boot-scripts';
export { agentArguments, machineScriptUrl, type AgentArguments } from './agent-arguments';
export { commandWord, consoleText } from './escape';
export { parseIpxeScript, type ParsedCommand, type ParsedLine } from './parse';
export { runIpxeScript, type IpxeAction, type IpxeEnd, type IpxeSettings } from './interpret';
