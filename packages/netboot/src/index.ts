/** The public face of netboot: one folder a protocol, the boot decider they all ask and the boot events they all tell. */
export type { BootDecider } from './boot-decider';
export type { BootEvent, BootEventListener } from './boot-event';
export { claimProblem } from './peer-claim';
export type { FileFinder, FileSubject, FoundFile } from './file-finder';
export * from './dhcp';
export * from './grub';
export * from './http';
export * from './initramfs';
export * from './ipv6';
export * from './ipxe';
export * from './tftp';
