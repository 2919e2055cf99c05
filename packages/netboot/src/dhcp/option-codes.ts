/**
 * The numbers of DHCP that this package reads or writes, under the words of their RFCs.
 * RFC 2132 (most), 3004 (77), 3046 (82), 4578 (93, 94, 97), 6842 (61 in replies) and iPXE's encapsulated option 175.
 * Codes that are not listed still pass the codec: it carries any option as bytes.
 */

export const OPTION = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  domainNameServer: 6,
  hostName: 12,
  domainName: 15,
  broadcastAddress: 28,
  ntpServers: 42,
  vendorSpecific: 43,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequestList: 55,
  message: 56,
  maximumMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClassIdentifier: 60,
  clientIdentifier: 61,
  tftpServerName: 66,
  bootfileName: 67,
  userClass: 77,
  relayAgentInformation: 82,
  clientSystemArchitecture: 93,
  clientNetworkInterface: 94,
  clientMachineIdentifier: 97,
  ipxeEncapsulated: 175,
  end: 255,
} as const;

/** Sub-options of option 82 (RFC 3527, RFC 5107). */
export const RELAY_SUBOPTION = { linkSelection: 5, serverIdentifierOverride: 11 } as const;

/** Sub-options of iPXE's option 175: features that a build of iPXE has, and settings that we send to it. */
export const IPXE_SUBOPTION = { noPxeDhcp: 176, http: 19, https: 20, tftp: 21, efi: 36 } as const;

/** Sub-options of option 43 for PXE clients (PXE 2.1 section 2.2). */
export const PXE_SUBOPTION = {
  discoveryControl: 6,
  bootServers: 8,
  bootMenu: 9,
  menuPrompt: 10,
  bootItem: 71,
} as const;

export const MESSAGE_TYPE = {
  DHCPDISCOVER: 1,
  DHCPOFFER: 2,
  DHCPREQUEST: 3,
  DHCPDECLINE: 4,
  DHCPACK: 5,
  DHCPNAK: 6,
  DHCPRELEASE: 7,
  DHCPINFORM: 8,
} as const;

export type MessageTypeName = keyof typeof MESSAGE_TYPE;

const NAMES = new Map<number, MessageTypeName>(
  (Object.entries(MESSAGE_TYPE) as [MessageTypeName, number][]).map(([name, code]) => [code, name]),
);

/** The RFC's name of a value of option 53; undefined for values that are none of RFC 2131. */
export function messageTypeName(code: number): MessageTypeName | undefined {
  return NAMES.get(code);
}
