/** The settings of the regional daemon, as one table; docs/configuration.md is made from it. The only file that reads the environment. */
import { hostname } from 'node:os';
import { isRegionId, REGION_ID_RULE } from '@lpmos/core';
import type { RegionId } from '@lpmos/core';
import {
  choiceType,
  defineConfig,
  fileContentType,
  integerType,
  ipv4Type,
  jsonType,
  listType,
  LOG_LEVELS,
  pathType,
  portType,
  textType,
  endpointType,
} from '@lpmos/runtime';
import type { ConfigOf, ConfigType } from '@lpmos/runtime';
import { KERNEL_ARGUMENTS } from './boot/agent-boot';
import { readLinkList } from './boot/link-settings';
import { UEFI_CHAINS } from './boot/grub-files';
import { readLoaderSettings } from './boot/loaders';

const regionIdType: ConfigType<RegionId> = {
  describe: REGION_ID_RULE,
  read: (text) => (isRegionId(text) ? { value: text } : { problem: `must be ${REGION_ID_RULE}` }),
};

export const REGIONAL_DAEMON_CONFIG = defineConfig({
  regionId: { env: 'LPMOS_REGION_ID', type: regionIdType, description: 'The region that this daemon serves' },
  nodeName: {
    env: 'LPMOS_NODE_NAME',
    type: textType({ describe: 'a name of this node, unique in its region', pattern: /^[\w.-]{1,64}$/ }),
    default: hostname(),
    description: 'Name of this daemon among those of its region',
  },
  etcdEndpoints: {
    env: 'LPMOS_ETCD_ENDPOINTS',
    type: listType(endpointType),
    default: 'http://127.0.0.1:2379',
    description: 'URLs of the etcd members',
  },
  etcdCa: {
    env: 'LPMOS_ETCD_CA_FILE',
    type: fileContentType,
    optional: true,
    description: 'PEM of the CA that signed the certificates of etcd',
  },
  etcdCert: {
    env: 'LPMOS_ETCD_CERT_FILE',
    type: fileContentType,
    optional: true,
    description: 'PEM of the client certificate of this region',
  },
  etcdKey: {
    env: 'LPMOS_ETCD_KEY_FILE',
    type: fileContentType,
    optional: true,
    description: 'PEM of the key of the client certificate',
  },
  stateDir: {
    env: 'LPMOS_STATE_DIR',
    type: pathType,
    default: '/var/lib/lpmos',
    description: 'Directory for leases, used tickets and, unless it has a file of its own, the region secret',
  },
  secretFile: {
    env: 'LPMOS_REGION_SECRET_FILE',
    type: pathType,
    optional: true,
    description:
      'File of 32 random bytes, the same on both daemons of a region, so that each knows the other’s agents; made in LPMOS_STATE_DIR when absent',
  },
  ramdiskDir: {
    env: 'LPMOS_RAMDISK_DIR',
    type: pathType,
    default: '/var/lib/lpmos/ramdisk',
    description: 'Directory with vmlinuz, initramfs.img and manifest.json of the boot agent',
  },
  imagesDir: {
    env: 'LPMOS_IMAGES_DIR',
    type: pathType,
    default: '/var/lib/lpmos/images',
    description: 'Directory with OS images and their manifests',
  },
  loaderDir: {
    env: 'LPMOS_LOADER_DIR',
    type: pathType,
    default: '/usr/lib/ipxe',
    description: 'Directory with the iPXE loaders undionly.kpxe and ipxe.efi or snponly.efi',
  },
  loaders: {
    env: 'LPMOS_LOADERS',
    type: jsonType({
      describe: 'loader files by firmware, such as {"arm64": "ipxe-arm64.efi"}',
      parse: readLoaderSettings,
    }),
    optional: true,
    description: 'Loaders of the site instead of the defaults: files in LPMOS_LOADER_DIR or absolute paths',
  },
  uefiChain: {
    env: 'LPMOS_UEFI_CHAIN',
    type: choiceType(UEFI_CHAINS),
    default: 'ipxe',
    description:
      'What x86-64 machines with UEFI load first: iPXE, or shim and GRUB, which Debian signed and Secure Boot accepts',
  },
  shimFile: {
    env: 'LPMOS_SHIM_FILE',
    type: pathType,
    default: '/usr/lib/shim/shimx64.efi.signed',
    description: 'The signed shim of the chain grub; Debian package shim-signed',
  },
  grubFile: {
    env: 'LPMOS_GRUB_FILE',
    type: pathType,
    default: '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed',
    description: 'The signed network GRUB of the chain grub; Debian package grub-efi-amd64-signed',
  },
  serviceAddress: {
    env: 'LPMOS_SERVICE_ADDRESS',
    type: ipv4Type,
    description: 'IPv4 address of this daemon as machines see it, unless their link has its own',
  },
  partnerAddress: {
    env: 'LPMOS_PARTNER_ADDRESS',
    type: ipv4Type,
    optional: true,
    description:
      'LPMOS_SERVICE_ADDRESS of the other daemon of this region: the two share pools, and machines are told both addresses',
  },
  links: {
    env: 'LPMOS_DHCP_LINKS',
    type: jsonType({
      describe: 'a list with the settings of each link, see docs/booting.md',
      parse: readLinkList,
    }),
    optional: true,
    formerly: { name: 'LPMOS_DHCP_LINK', change: 'a list, in which one link is one entry' },
    description: 'The links that are served and how; without it another server must do DHCP',
  },
  tftpPort: { env: 'LPMOS_TFTP_PORT', type: portType, default: '69', description: 'UDP port of TFTP' },
  httpPort: { env: 'LPMOS_HTTP_PORT', type: portType, default: '80', description: 'TCP port of HTTP boot' },
  agentApiPort: {
    env: 'LPMOS_AGENT_API_PORT',
    type: portType,
    default: '8081',
    description: 'TCP port of the HTTP door for agents and of /health',
  },
  agentGrpcPort: {
    env: 'LPMOS_AGENT_GRPC_PORT',
    type: portType,
    default: '8082',
    description: 'TCP port of the gRPC door for agents',
  },
  agentCa: {
    env: 'LPMOS_AGENT_CA_FILE',
    type: fileContentType,
    description: 'PEM of the CA that agents trust; it goes into the site initramfs',
  },
  agentCert: {
    env: 'LPMOS_AGENT_CERT_FILE',
    type: fileContentType,
    description: 'PEM of the certificate shown to agents, signed by that CA',
  },
  agentKey: {
    env: 'LPMOS_AGENT_KEY_FILE',
    type: fileContentType,
    description: 'PEM of the key of that certificate',
  },
  agentTlsName: {
    env: 'LPMOS_AGENT_TLS_NAME',
    type: textType({ describe: 'a DNS name in the certificate', pattern: /^[a-z0-9.-]{1,253}$/ }),
    description: 'Name that agents expect in the certificate, whatever address they dial',
  },
  grantPublicKey: {
    env: 'LPMOS_GRANT_PUBLIC_KEY_FILE',
    type: fileContentType,
    description: 'PEM of the public key of grants; it goes into the site initramfs',
  },
  kernelArguments: {
    env: 'LPMOS_KERNEL_ARGUMENTS',
    type: textType(KERNEL_ARGUMENTS),
    default: 'console=tty0 console=ttyS0,115200 panic=30',
    description: 'Arguments for the kernel of the ramdisk, such as its consoles',
  },
  sessionSeconds: {
    env: 'LPMOS_SESSION_SECONDS',
    type: integerType({ min: 3, max: 120, unit: 'seconds' }),
    default: '10',
    description: 'How long the leadership of a silent daemon lasts',
  },
  logLevel: {
    env: 'LPMOS_LOG_LEVEL',
    type: choiceType(LOG_LEVELS),
    default: 'info',
    description: 'Least severity that is logged',
  },
});

export type RegionalDaemonConfig = ConfigOf<typeof REGIONAL_DAEMON_CONFIG>;

export const environment = process.env;

/** What a service manager says of the sockets that it passes in (sd_listen_fds(3)). */
export const listenVariables = {
  LISTEN_PID: process.env['LISTEN_PID'],
  LISTEN_FDS: process.env['LISTEN_FDS'],
  LISTEN_FDNAMES: process.env['LISTEN_FDNAMES'],
};
