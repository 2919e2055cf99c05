/**
 * An install order as the agent will follow it, read from the wire with every problem at once. Pure.
 * The region is trusted to relay, not to be right: what is unusable is refused before anything else happens.
 * Invariant: an InstallOrder holds no value that could leave its place in a file it is written to.
 */
import type { BootOrder, FieldProblem } from '@lpmos/core';
import type { Install } from '@lpmos/proto';

export interface ImageOrder {
  readonly url: string;
  readonly rawSha256: string;
  readonly rawSizeBytes: number;
  readonly compressedSha256: string;
  readonly compressedSizeBytes: number;
  readonly rootPartitionLabel: string;
}

export interface CheckInOrder {
  readonly url: string;
  readonly token: string;
  readonly tlsServerName: string;
  /** The same on the region's other daemon. */
  readonly partnerUrl?: string | undefined;
}

export interface HostOrder {
  readonly hostname: string;
  readonly sshAuthorizedKeys: readonly string[];
  readonly networkConfig: 'dhcp';
  readonly checkIn?: CheckInOrder;
}

export interface InstallOrder {
  readonly attempt: number;
  /** Compact JWS. */
  readonly grant: string;
  readonly image: ImageOrder;
  readonly settings: HostOrder;
  /** Whether UEFI boots the disk first afterwards. */
  readonly bootOrder: BootOrder;
}

const SHA256 = /^[0-9a-f]{64}$/;
/** RFC 1123 host name, at most 64 characters as Linux takes it. */
const HOSTNAME = /^(?=.{1,64}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;
const LINE = /^[\x20-\x7e\u00a0-\uffff]{1,16384}$/;
const TOKEN = /^[\x21-\x7e]{1,4096}$/;
const SERVER_NAME = /^[A-Za-z0-9.-]{1,253}$/;
const MOST_SSH_KEYS = 100;
/** 36 UTF-16 units is what a GPT entry has room for. */
const LONGEST_LABEL = 36;
const LONGEST_GRANT = 8192;

export function readInstallOrder(
  wire: Install,
): { readonly order: InstallOrder } | { readonly problems: readonly FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const check = (path: string, good: boolean, problem: string): void => {
    if (!good) problems.push({ path, problem });
  };
  const { image, settings } = wire;
  if (image === undefined || settings === undefined) {
    return { problems: [{ path: image === undefined ? 'image' : 'settings', problem: 'is missing' }] };
  }
  const rawSizeBytes = sizeOf(image.rawSizeBytes);
  const compressedSizeBytes = sizeOf(image.compressedSizeBytes);
  const { networkConfig, checkIn } = settings;
  check('attempt', Number.isInteger(wire.attempt) && wire.attempt >= 1, 'must be 1 or more');
  check('grant', wire.grant.length > 0 && wire.grant.length <= LONGEST_GRANT, 'must be a compact JWS');
  check('image.url', isHttpUrl(image.url, ['http:']), 'must be an http URL of the region');
  check('image.raw_sha256', SHA256.test(image.rawSha256), 'must be 64 lower-case hex digits');
  check('image.compressed_sha256', SHA256.test(image.compressedSha256), 'must be 64 lower-case hex digits');
  check('image.raw_size_bytes', rawSizeBytes > 0, 'must be a number of bytes above 0');
  check('image.compressed_size_bytes', compressedSizeBytes > 0, 'must be a number of bytes above 0');
  const label = image.rootPartitionLabel;
  check(
    'image.root_partition_label',
    label !== '' && label.length <= LONGEST_LABEL,
    'must be a GPT partition label',
  );
  check(
    'settings.hostname',
    HOSTNAME.test(settings.hostname),
    'must be a host name of at most 64 characters',
  );
  check('settings.network_config', networkConfig === 'dhcp', 'must be dhcp');
  check(
    'settings.ssh_authorized_keys',
    settings.sshAuthorizedKeys.length <= MOST_SSH_KEYS,
    'are more than 100',
  );
  check(
    'settings.ssh_authorized_keys',
    settings.sshAuthorizedKeys.every((key) => LINE.test(key)),
    'must be one line each',
  );
  if (checkIn !== undefined) {
    const { url, partnerUrl = url } = checkIn;
    const isUrl = (text: string): boolean => isHttpUrl(text, ['http:', 'https:']);
    check('settings.check_in.url', isUrl(url), 'must be an http or https URL');
    check('settings.check_in.partner_url', isUrl(partnerUrl), 'must be an http or https URL');
    check('settings.check_in.token', TOKEN.test(checkIn.token), 'must be a token without blanks');
    check('settings.check_in.tls_server_name', SERVER_NAME.test(checkIn.tlsServerName), 'must be a DNS name');
  }
  if (problems.length > 0) return { problems };
  const { url, rawSha256, compressedSha256 } = image;
  const host = {
    hostname: settings.hostname,
    sshAuthorizedKeys: settings.sshAuthorizedKeys,
    networkConfig: 'dhcp' as const,
  };
  return {
    order: {
      attempt: wire.attempt,
      grant: wire.grant,
      image: {
        url,
        rawSha256,
        rawSizeBytes,
        compressedSha256,
        compressedSizeBytes,
        rootPartitionLabel: label,
      },
      settings: checkIn === undefined ? host : { ...host, checkIn: { ...checkIn } },
      bootOrder: wire.keepBootOrder ? 'unchanged' : 'disk-first',
    },
  };
}

function sizeOf(text: string): number {
  const size = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(size) ? size : 0;
}

function isHttpUrl(text: string, protocols: readonly string[]): boolean {
  return text.length <= 2048 && URL.canParse(text) && protocols.includes(new URL(text).protocol);
}
