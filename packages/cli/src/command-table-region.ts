/** The rows of `lpmos region` and `lpmos token`; see command-table.ts. */
import type { CommandSpec } from './command';

export const REGION_COMMANDS: readonly CommandSpec[] = [
  {
    noun: 'region',
    verb: 'list',
    summary: 'list regions and whether their daemon is alive',
    args: [],
    options: [],
    examples: ['lpmos region list'],
    load: () => import('./commands/region-list'),
  },
  {
    noun: 'region',
    verb: 'show',
    summary: 'show one region: services, images, heartbeat',
    args: [{ name: 'region', description: 'a region id' }],
    options: [],
    examples: ['lpmos region show dc1'],
    load: () => import('./commands/region-show'),
  },
  {
    noun: 'region',
    verb: 'create',
    summary: 'register a region before its daemon starts',
    args: [{ name: 'region', description: 'its id: lower-case letters, digits and inner hyphens' }],
    options: [{ flags: '--name <text>', description: 'name for people; the id if absent' }],
    examples: ['lpmos region create dc1 --name "Frankfurt 1"'],
    load: () => import('./commands/region-create'),
  },
];

export const TOKEN_COMMANDS: readonly CommandSpec[] = [
  {
    noun: 'token',
    verb: 'create',
    summary: 'sign a token for the API with a private key; prints the token and nothing else',
    more: 'Works without a control plane. The control plane must know the public half (LPMOS_JWT_PUBLIC_KEY_FILE).',
    args: [],
    options: [
      {
        flags: '--subject <who>',
        description: 'the person or program, as audit trails name it',
        required: true,
      },
      {
        flags: '--role <role>',
        description: 'viewer, operator, approver or admin',
        repeatable: true,
        required: true,
      },
      { flags: '--key <file>', description: 'private key, EC P-256, PEM', required: true },
      { flags: '--expires <duration>', description: 'how long it is good', default: '8h' },
      { flags: '--region <id>', description: 'limit it to this region', repeatable: true },
      { flags: '--key-id <kid>', description: 'name of the key, when the control plane knows several' },
      { flags: '--issuer <name>', description: 'issuer that the control plane expects', default: 'lpmos' },
      { flags: '--audience <name>', description: 'audience that it expects', default: 'lpmos-api' },
    ],
    examples: [
      'lpmos token create --subject alice@example.com --role approver --role operator --key jwt-key.pem > ~/.lpmos-token',
    ],
    load: () => import('./commands/token-create'),
  },
];
