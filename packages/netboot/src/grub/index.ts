/** The GRUB half of netboot, for Secure Boot: scripts as typed commands, their rendering, the scripts of boot decisions, and what an image can. */
export {
  renderGrubScript,
  type GrubCommand,
  type GrubCondition,
  type GrubKernelArgument,
  type GrubScript,
  type GrubWord,
} from './script';
export { grubMachineScript, grubMenu, type GrubMachineFacts, type GrubMenuFacts } from './boot-scripts';
export { grubModules } from './modules';
