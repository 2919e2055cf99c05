/** Every command of `lpmos` as a row. Bodies are in commands/, one file each, loaded when they run. */
import { BOOT_ORDERS, EXIT_METHODS } from '@lpmos/core';
import type { ArgumentSpec, CommandSpec } from './command';
import { MACHINE_COMMANDS, NETWORK_COMMANDS } from './command-table-machine';
import { REGION_COMMANDS, TOKEN_COMMANDS } from './command-table-region';

const TASK: ArgumentSpec = {
  name: 'task',
  description: 'a task id, any unique start of it (or of the part after its region tag), or @latest',
};

const READING_TASKS: readonly CommandSpec[] = [
  {
    noun: 'task',
    verb: 'list',
    summary: 'list tasks, newest first',
    args: [],
    options: [
      { flags: '--region <id>', description: 'only tasks of this region' },
      { flags: '--status <status>', description: 'only tasks in this status', repeatable: true },
      { flags: '--mac <address>', description: 'only tasks of this machine' },
      { flags: '--tag <key=value>', description: 'only tasks with this tag', repeatable: true },
      { flags: '--limit <count>', description: 'at most this many, 1 to 200', default: '50' },
      { flags: '--offset <count>', description: 'leave out this many', default: '0' },
    ],
    examples: [
      'lpmos task list --status pending_approval',
      'lpmos task list --region dc1 --tag environment=production -o json | jq -r ".tasks[].task_id"',
    ],
    load: () => import('./commands/task-list'),
  },
  {
    noun: 'task',
    verb: 'show',
    summary: 'show a task: hardware, what is on every disk, timeline',
    more: 'Marks the disk that an approval would overwrite. This is what to read before approving.',
    args: [TASK],
    options: [
      { flags: '--disk <selector>', description: 'mark the disk that this selector chooses instead' },
    ],
    examples: ['lpmos task show @latest', 'lpmos task show 5891b5b5-22d5 -o json'],
    load: () => import('./commands/task-show'),
  },
  {
    noun: 'task',
    verb: 'watch',
    summary: 'follow a task live until it ends',
    more: 'Survives restarts of the control plane. Ends with 0 when completed, else with the code of the end.',
    args: [TASK],
    options: [
      {
        flags: '--until <status>',
        description: 'end with 0 as soon as the task is in, or past, this status; host_up: the disk booted',
        default: 'completed',
      },
      {
        flags: '--give-up <duration>',
        description: 'end when the control plane is away so long',
        default: '10m',
      },
    ],
    examples: ['lpmos task watch @latest', 'lpmos task watch 22d5 --until pending_approval'],
    load: () => import('./commands/task-watch'),
  },
  {
    noun: 'task',
    verb: 'explain',
    summary: 'say whose move it is, since when, and what the machine would boot now',
    args: [TASK],
    options: [],
    examples: ['lpmos task explain @latest'],
    load: () => import('./commands/task-explain'),
  },
];

const CHANGING_TASKS: readonly CommandSpec[] = [
  {
    noun: 'task',
    verb: 'create',
    summary: 'order the installation of one machine',
    args: [],
    options: [
      { flags: '--region <id>', description: 'region that has the machine', required: true },
      { flags: '--mac <address>', description: 'MAC address of the machine, any notation', required: true },
      { flags: '--os <type>', description: 'what to install: debian, ubuntu, …', required: true },
      { flags: '--os-version <version>', description: 'its version, such as 12', required: true },
      {
        flags: '--disk <selector>',
        description: 'auto, or serial=…, wwn=…, model=…, type=…, smallest, largest, joined by commas',
        default: 'auto',
      },
      { flags: '--network <config>', description: 'network of the installed system', default: 'dhcp' },
      { flags: '--hostname <name>', description: 'its host name' },
      { flags: '--ssh-key <file>', description: 'public key that may log in', repeatable: true },
      { flags: '--tag <key=value>', description: 'a tag', repeatable: true },
      {
        flags: '--exit-method <way>',
        description: `how the machine leaves the network boot for its disk: ${EXIT_METHODS.join(', ')}`,
      },
      {
        flags: '--boot-order <order>',
        description: `UEFI boot order afterwards: ${BOOT_ORDERS.join(' or ')}`,
      },
      { flags: '--idempotency-key <key>', description: 'repeat safely: the same key makes one task only' },
    ],
    examples: [
      'lpmos task create --region dc1 --mac 52:54:00:12:34:56 --os debian --os-version 12 --ssh-key ~/.ssh/id_ed25519.pub',
      'lpmos task create --region dc1 --mac 001a.2b3c.4d5e --os debian --os-version 12 --disk type=NVMe,smallest --tag purpose=web',
    ],
    load: () => import('./commands/task-create'),
  },
  {
    noun: 'task',
    verb: 'approve',
    summary: 'show the hardware, ask, and allow the chosen disk to be overwritten',
    more: 'Bound to what was shown: if the task changes meanwhile, the approval is refused (exit 8) and nothing is written.',
    args: [TASK],
    options: [
      { flags: '--disk <selector>', description: 'the disk to write, such as serial=S4EVNX0M' },
      { flags: '--notes <text>', description: 'why, for the record' },
      { flags: '--yes', description: 'do not ask' },
    ],
    examples: [
      'lpmos task approve @latest',
      'lpmos task approve 5891b5b5-22d5 --disk serial=S4EVNX0M --notes "checked with rack team" --yes',
    ],
    load: () => import('./commands/task-approve'),
  },
  {
    noun: 'task',
    verb: 'reject',
    summary: 'refuse the installation; the disk stays as it is',
    args: [TASK],
    options: [{ flags: '--reason <text>', description: 'why, for the record', required: true }],
    examples: ['lpmos task reject @latest --reason "wrong machine"'],
    load: () => import('./commands/task-reject'),
  },
  {
    noun: 'task',
    verb: 'cancel',
    summary: 'cancel a task; one that is installing stops at the next safe point',
    args: [TASK],
    options: [],
    examples: ['lpmos task cancel 5891b5b5-22d5'],
    load: () => import('./commands/task-cancel'),
  },
];

export const COMMANDS: readonly CommandSpec[] = [
  ...CHANGING_TASKS.slice(0, 1),
  ...READING_TASKS,
  ...CHANGING_TASKS.slice(1),
  ...MACHINE_COMMANDS,
  ...NETWORK_COMMANDS,
  ...REGION_COMMANDS,
  ...TOKEN_COMMANDS,
];

export const NOUNS: Readonly<Record<string, string>> = {
  task: 'orders to install one machine each',
  machine: 'machines and how they booted',
  region: 'datacenters',
  token: 'credentials for the API',
};
