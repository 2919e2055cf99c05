export { startAnnouncer } from './announcer';
export type { AnnouncedDevice, Announcer, AnnouncerOptions } from './announcer';
export { linkLocalAddress, noRouterAdvertisement } from './router-advertisement';
