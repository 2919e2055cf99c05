/** Every benchmark, in the order of the page. */
import { cliHelp } from './cli-help';
import { etcdFootprint } from './etcd-footprint';
import { fleet } from './fleet';
import type { Benchmark } from './harness/benchmark';
import { ramdiskSize } from './ramdisk-size';
import { serviceStart } from './service-start';
import { taskList } from './task-list';

export const BENCHMARKS: readonly Benchmark[] = [ramdiskSize, serviceStart, cliHelp, etcdFootprint, taskList, fleet];

/** Minutes of QEMU each; only by name or with --all. */
export const SLOW: readonly string[] = [];
