/** The TFTP half of netboot: a read-only server of published names, and the packet codec for clients. */
export {
  decodeTftpPacket,
  encodeDataHeader,
  encodeTftpError,
  encodeTftpPacket,
  TFTP_ERRORS,
  type MalformedTftp,
  type TftpErrorName,
  type TftpOptionList,
  type TftpPacket,
  type TftpRequest,
} from './packet';
export { negotiate, DEFAULT_BLKSIZE, type Negotiated, type OptionLimits } from './options';
export { createFileTable, findFile, normaliseName, type FileTable, type PublishedFile } from './names';
export { createTftpServer, type TftpServer, type TftpServerOptions } from './server';
export { DEFAULT_TFTP_LIMITS, type TftpLimits } from './admission';
export { udpSockets, type SocketFactory } from './sockets';
