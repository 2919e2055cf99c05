/** Every benchmark, in the order of the page. */
import { bootStorm } from './boot-storm';
import { bootTime } from './boot-time';
import { cliHelp } from './cli-help';
import { etcdFootprint } from './etcd-footprint';
import { fleet } from './fleet';
import type { Benchmark } from './harness/benchmark';
import { installMemory } from './install-memory';
import { netbootDhcp } from './netboot-dhcp';
import { netbootHttp } from './netboot-http';
import { netbootTftp } from './netboot-tftp';
import { ramdiskSize } from './ramdisk-size';
import { serviceStart } from './service-start';
import { taskList } from './task-list';

export const BENCHMARKS: readonly Benchmark[] = [
  ramdiskSize,
  installMemory,
  bootTime,
  serviceStart,
  cliHelp,
  etcdFootprint,
  taskList,
  fleet,
  bootStorm,
  netbootTftp,
  netbootHttp,
  netbootDhcp,
];

/** Minutes each; only by name or with --all. */
export const SLOW: readonly string[] = ['boot-time', 'install-memory', 'boot-storm'];
