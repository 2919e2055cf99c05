/** The initramfs half of netboot: archives that a kernel unpacks, for the ramdisk's builder and for the site's own files. */
export { encodeCpio, withParents, type CpioEntry } from './cpio';
