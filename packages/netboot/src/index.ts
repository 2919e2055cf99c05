/** The public face of netboot: one folder a protocol, the boot decider they all ask and the boot events they all tell. */
export type { BootDecider } from './boot-decider';
export type { BootEvent, BootEventListener } from './boot-event';
export * from './dhcp';
export * from './http';
export * from './initramfs';
export * from './ipxe';
export * from './tftp';
