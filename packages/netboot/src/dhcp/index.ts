/** The public face of the DHCP server and its codec. */
export { bootRequest } from './boot-request';
export type { BootRequest } from './boot-request';
export type { DatagramListener, DatagramPort, Endpoint } from './datagram-port';
export { encodePacket } from './encode-packet';
export type { EncodeSettings } from './encode-packet';
export {
  IPXE_SUBOPTION,
  MESSAGE_TYPE,
  OPTION,
  PXE_SUBOPTION,
  RELAY_SUBOPTION,
  messageTypeName,
} from './option-codes';
export type { MessageTypeName } from './option-codes';
export {
  address as addressOption,
  addressList as addressListOption,
  readAddress,
  readAddressList,
  readSubOptions,
  readText,
  readU16,
  readU16List,
  readU32,
  readU8,
  subOptions,
  text as textOption,
  u16 as u16Option,
  u32 as u32Option,
  u8 as u8Option,
} from './options';
export { MAX_LEASES } from './lease-table';
export type { Lease, LeaseState } from './lease-table';
export { explainAnswer } from './explain-answer';
export type { ExplainedAnswer, ExplainQuestion } from './explain-answer';
export { LOADER_KEYS } from './firmware';
export type { LoaderKey } from './firmware';
export { LeaseCopies } from './lease-copies';
export type { LeaseChange } from './lease-copies';
export { openLeaseJournal } from './lease-journal';
export { mergedLeases } from './lease-mirror';
export type { LeaseJournal, LeaseJournalOptions, LeaseJournalProblem } from './lease-journal';
export { LINK_MODES, MAC_PLACEHOLDER } from './link';
export type { BootSources, DhcpLink, LinkMode, Reservation } from './link';
export { parseDhcpLink } from './parse-link';
export type { ParsedLink } from './parse-link';
export { openDeviceSockets } from './device-socket';
export type { DeviceSocketRequest } from './device-socket';
export { createLinkGroup } from './link-group';
export type { LinkGroup } from './link-group';
export { createDhcpServer } from './server';
export type { DhcpServer, DhcpServerOptions, OpenPort } from './server';
export { openUdpListener, openUdpSocket, portOverSockets } from './udp-socket';
export type { BoundSockets, ListenerOptions, UdpSocketOptions } from './udp-socket';
export { BROADCAST_FLAG, decodePacket } from './packet';
export type { DecodedPacket, DhcpOptions, DhcpPacket, MalformedPacket } from './packet';
