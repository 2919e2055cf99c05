/**
 * The wire of boot agents: generated messages, client and service, and the mapping of hardware reports to the domain.
 * Parts of the hardware report that share a name with the domain carry the prefix Wire.
 */
export {
  Ack,
  AgentServiceClient,
  AgentServiceService,
  Cancel,
  CancelObeyed,
  CheckIn,
  Hello,
  HostSettings,
  Image,
  Install,
  InstallResult,
  LogLines,
  Progress,
  Reboot,
  ReportRequest,
  ReportResponse,
  SessionRequest,
  SessionResponse,
  Wait,
  Welcome,
  HardwareReport as WireHardwareReport,
} from './gen/lpmos/agent/v1/agent';
export type {
  AgentServiceServer,
  Disk as WireDisk,
  DiskContents as WireDiskContents,
  NetworkInterface as WireNetworkInterface,
} from './gen/lpmos/agent/v1/agent';
export { HARDWARE_LIMITS, hardwareFromWire, hardwareToWire } from './mapping';
export type { HardwareReading } from './mapping';
export { cleanHardwareText, LONGEST_HARDWARE_TEXT } from './mapping-fields';
