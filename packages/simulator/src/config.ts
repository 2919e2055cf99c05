/**
 * The settings of `lpmos-simulator`: where the region is and how large the fleet. The only file of the package that sees the
 * environment.
 */
import { readMacAddress } from '@lpmos/core';
import type { MacAddress } from '@lpmos/core';
import {
  choiceType,
  defineConfig,
  integerType,
  ipv4Type,
  listType,
  LOG_LEVELS,
  portType,
} from '@lpmos/runtime';
import type { ConfigOf, ConfigType } from '@lpmos/runtime';

const macType: ConfigType<MacAddress> = {
  describe: 'a unicast MAC address such as 02:00:00:00:00:01',
  read(text) {
    const mac = readMacAddress(text);
    return mac === undefined ? { problem: `"${text}" is no unicast MAC address` } : { value: mac };
  },
};

export const SIMULATOR_CONFIG = defineConfig({
  regionAddress: {
    env: 'LPMOS_REGION_ADDRESS',
    type: ipv4Type,
    description: 'IPv4 address of the regional daemon',
    default: '127.0.0.1',
  },
  dhcpPort: {
    env: 'LPMOS_DHCP_PORT',
    type: portType,
    description: 'UDP port of its DHCP server',
    default: '67',
  },
  tftpPort: {
    env: 'LPMOS_TFTP_PORT',
    type: portType,
    description: 'UDP port of its TFTP server, for machines with rom=pxe',
    default: '69',
  },
  clientAddress: {
    env: 'LPMOS_CLIENT_ADDRESS',
    type: ipv4Type,
    description: 'own address that plays the relay (giaddr); the region must allow it',
    default: '127.0.0.1',
  },
  relayPort: {
    env: 'LPMOS_RELAY_PORT',
    type: portType,
    description: 'own UDP port at which the region answers relays',
    default: '67',
  },
  machines: {
    env: 'LPMOS_MACHINES',
    type: integerType({ min: 1, max: 65_536 }),
    description: 'how many machines; the number of MACs when those are given',
    optional: true,
  },
  macs: {
    env: 'LPMOS_MACS',
    type: listType(macType),
    description: 'MAC addresses of the machines; made up from the seed when absent',
    optional: true,
  },
  seed: {
    env: 'LPMOS_SEED',
    type: integerType({ min: 0, max: 2 ** 32 - 1 }),
    description: 'same seed, same machines',
    default: '1',
  },
  staggerMs: {
    env: 'LPMOS_STAGGER_MS',
    type: integerType({ min: 0, max: 600_000, unit: 'milliseconds' }),
    description: 'between two power-ons',
    default: '100',
  },
  concurrency: {
    env: 'LPMOS_CONCURRENCY',
    type: integerType({ min: 1, max: 65_536 }),
    description: 'machines that are on at the same time',
    default: '100',
  },
  lifeMinutes: {
    env: 'LPMOS_LIFE_MINUTES',
    type: integerType({ min: 1, max: 10_080, unit: 'minutes' }),
    description: 'after which a machine that came to no end is given up; waiting for approval counts',
    default: '60',
  },
  rom: {
    env: 'LPMOS_ROM',
    type: choiceType(['ipxe', 'pxe']),
    description: 'what stands in the network card: iPXE, or a ROM that loads iPXE by TFTP',
    default: 'ipxe',
  },
  firmware: {
    env: 'LPMOS_FIRMWARE',
    type: choiceType(['bios', 'uefi']),
    description: 'firmware of all machines',
    default: 'bios',
  },
  timeScalePercent: {
    env: 'LPMOS_TIME_SCALE_PERCENT',
    type: integerType({ min: 1, max: 1000, unit: 'percent' }),
    description: 'how long firmware, scripts and back-off wait; 100 is the patience of real machines',
    default: '100',
  },
  logLevel: {
    env: 'LPMOS_LOG_LEVEL',
    type: choiceType(LOG_LEVELS),
    description: 'least level that is logged',
    default: 'info',
  },
});

export type SimulatorConfig = ConfigOf<typeof SIMULATOR_CONFIG>;

export const simulatorEnv: Readonly<Record<string, string | undefined>> = process.env;
