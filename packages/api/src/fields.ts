/**
 * The fields of requests: each checked once, turned into the core's own type and described by the same words in the
 * OpenAPI document and in a refusal. Length is checked before any pattern, and every pattern is linear.
 */
import {
  DISK_LAYOUT_RULE,
  isRegionId,
  isTaskId,
  isTaskStatus,
  MAC_RULE,
  parseDiskSelector,
  readMacAddress,
  REGION_ID_RULE,
  TASK_ID_RULE,
  TASK_STATUS_NAMES,
} from '@lpmos/core';
import type { MacAddress, RegionId, TaskId, TaskStatus } from '@lpmos/core';
import { z } from 'zod';

/** A text that a reader of the core turns into a value, or a rule in words. */
function parsed<T>(options: {
  readonly max: number;
  readonly rule: string;
  readonly read: (text: string) => T | undefined;
}) {
  return z
    .string()
    .max(options.max, `must be ${options.rule}`)
    .describe(options.rule)
    .transform((text, context): T => {
      const value = options.read(text);
      if (value !== undefined) return value;
      context.issues.push({ code: 'custom', message: `must be ${options.rule}`, input: text });
      return z.NEVER;
    });
}

export const regionIdField = parsed<RegionId>({
  max: 32,
  rule: REGION_ID_RULE,
  read: (text) => (isRegionId(text) ? text : undefined),
});

export const taskIdField = parsed<TaskId>({
  max: 36,
  rule: TASK_ID_RULE,
  read: (text) => (isTaskId(text) ? text : undefined),
});

export const macField = parsed<MacAddress>({ max: 17, rule: MAC_RULE, read: readMacAddress });

const OS_WORD = /^[a-z0-9][a-z0-9._-]{0,31}$/;
export const osWordField = z
  .string()
  .max(32)
  .regex(
    OS_WORD,
    'must be 1 to 32 of a-z 0-9 . _ - beginning with a letter or digit, such as "debian" or "12"',
  );

/** RFC 1123 section 2.1: one label; the domain is the site's. */
const HOSTNAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
export const hostnameField = z
  .string()
  .max(63)
  .regex(HOSTNAME, 'must be one host name label: 1 to 63 of a-z 0-9 and inner hyphens, such as "web-7"');

export const diskSelectorField = z
  .string()
  .max(200)
  .describe(DISK_LAYOUT_RULE)
  .superRefine((text, context) => {
    const selector = parseDiskSelector(text);
    if ('problem' in selector) context.addIssue({ code: 'custom', message: selector.problem });
  });

const TAG_WORD = /^[A-Za-z0-9._/-]{1,63}$/;
const TAG_RULE = 'must be 1 to 63 of A-Z a-z 0-9 . _ / -';
export const MAX_TAGS = 32;
const tagWord = z.string().max(63, TAG_RULE).regex(TAG_WORD, TAG_RULE);
export const tagsField = z.record(tagWord, tagWord).superRefine((tags, context) => {
  if (Object.keys(tags).length > MAX_TAGS) {
    context.addIssue({ code: 'custom', message: `must have at most ${MAX_TAGS} entries` });
  }
});

/** Free words of a person: shown on consoles and in logs, therefore one line without control characters. */
export function sentenceField(max: number) {
  return z
    .string()
    .max(max)
    .regex(/^[^\p{C}\u2028\u2029]*$/u, 'must be one line without control characters');
}

const KEY_TYPES = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
];
/** A 16384-bit RSA key with a comment stays under it. */
const LONGEST_SSH_KEY = 4096;
const SSH_KEY_RULE = `must be one line of an OpenSSH public key: type, base64 and an optional comment, without options; types: ${KEY_TYPES.join(', ')}`;
export const MAX_SSH_KEYS = 20;

export const sshKeysField = z
  .array(
    sentenceField(LONGEST_SSH_KEY).superRefine((line, context) => {
      if (!isSshPublicKey(line)) context.addIssue({ code: 'custom', message: SSH_KEY_RULE });
    }),
  )
  .max(MAX_SSH_KEYS);

/** The blob repeats its type (RFC 4253 section 6.6), so a cut or mixed-up key shows. */
export function isSshPublicKey(line: string): boolean {
  const [type = '', blob = ''] = line.split(' ', 2);
  if (!KEY_TYPES.includes(type) || blob.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(blob))
    return false;
  const bytes = atob(blob);
  const length = [0, 1, 2, 3].reduce((sum, index) => sum * 256 + (bytes.charCodeAt(index) || 0), 0);
  return length === type.length && bytes.slice(4, 4 + length) === type && bytes.length > 4 + length + 4;
}

/** A whole number in a query string; anything that Number() would merely tolerate is refused. */
export function integerText(limits: {
  readonly min: number;
  readonly max: number;
  readonly default: number;
}) {
  const rule = `must be a whole number from ${limits.min} to ${limits.max}`;
  return z
    .string()
    .meta({ type: 'integer', minimum: limits.min, maximum: limits.max, default: limits.default })
    .transform((text, context) => {
      const value = Number(text);
      if (/^\d{1,9}$/.test(text) && value >= limits.min && value <= limits.max) return value;
      context.issues.push({ code: 'custom', message: rule, input: text });
      return z.NEVER;
    })
    .optional()
    .transform((value) => value ?? limits.default);
}

/** The most values that one repeated query parameter takes. */
const MAX_REPEATED = 32;

/** `status=ready&status=booting` and `status=ready,booting` mean the same. */
export const statusesText = repeated(
  (word): TaskStatus | undefined => (isTaskStatus(word) ? word : undefined),
  {
    separator: ',',
    rule: `must be one or more of ${TASK_STATUS_NAMES.join(', ')}`,
  },
);

export const tagFiltersText = repeated(
  (word): readonly [string, string] | undefined => {
    const at = word.indexOf(':');
    const pair = [word.slice(0, at), word.slice(at + 1)] as const;
    return at > 0 && pair.every((part) => TAG_WORD.test(part)) ? pair : undefined;
  },
  { rule: 'must be key:value, such as environment:production' },
);

function repeated<T>(
  read: (word: string) => T | undefined,
  options: { readonly separator?: string; readonly rule: string },
) {
  return z
    .union([z.string().max(512), z.array(z.string().max(512)).max(MAX_REPEATED)])
    .describe(options.rule.replace(/^must be /, ''))
    .transform((input, context): T[] => {
      const texts = typeof input === 'string' ? [input] : input;
      const words = texts.flatMap((text) =>
        options.separator === undefined ? text : text.split(options.separator),
      );
      const values = words.map((word) => read(word)).filter((value): value is T & {} => value !== undefined);
      if (values.length === words.length && words.length <= MAX_REPEATED) return values;
      context.issues.push({ code: 'custom', message: options.rule, input });
      return z.NEVER;
    });
}

/** A store revision as text: decimal, no sign, no leading zero. */
export const revisionField = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,18})$/, 'must be a decimal revision such as 4711');
