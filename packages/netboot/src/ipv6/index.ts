export { startAnnouncer } from './announcer';
export type { AnnouncedDevice, Announcer } from './announcer';
