import type { ImageManifest } from '@lpmos/core';
import { EXAMPLE_METADATA, EXAMPLE_TASK_ID, exampleTask } from '@lpmos/core/testing';
import { checkInToken } from '../boot/tokens';
import { SECRETS } from '../testing/region-fixtures';
import { defaultHostname, orderMessage } from './orders';

const IMAGE: ImageManifest = {
  ...{ schema_version: 1, name: 'debian-12', os_type: 'debian', os_version: '12' },
  ...{ architecture: 'x86_64', format: 'raw+gzip', file: 'debian 12.raw.gz', firmware: ['bios'] },
  ...{ raw_size_bytes: 10, raw_sha256: 'a'.repeat(64), compressed_size_bytes: 5 },
  ...{ compressed_sha256: 'b'.repeat(64), root_partition_label: 'lpmos-root' },
};
const surroundings = {
  imageOf: () => IMAGE as ImageManifest | undefined,
  secrets: SECRETS,
  imagesUrl: () => 'http://10.77.0.1/images/',
  checkInUrl: () => 'https://10.77.0.1:8081/api/v1/agent/status',
  partnerCheckInUrl: () => 'https://10.77.0.2:8081/api/v1/agent/status',
  tlsServerName: 'region.lab',
};
const task = exampleTask({ status: 'installing', grant: 'aa.bb.cc' });

describe('orders', () => {
  it.each(['wait', 'cancel', 'reboot'] as const)('say why: %s', (kind) => {
    expect(orderMessage(task, { kind, reason: 'because' }, surroundings)).toEqual({
      message: { $case: kind, value: { reason: 'because' } },
    });
  });

  it('to install carry grant, image and settings, with an address that can be fetched', () => {
    expect(orderMessage(task, { kind: 'install', attempt: 2 }, surroundings)).toEqual({
      message: {
        $case: 'install',
        value: {
          attempt: 2,
          grant: 'aa.bb.cc',
          keepBootOrder: false,
          image: {
            url: 'http://10.77.0.1/images/debian%2012.raw.gz',
            rawSha256: 'a'.repeat(64),
            rawSizeBytes: '10',
            compressedSha256: 'b'.repeat(64),
            compressedSizeBytes: '5',
            rootPartitionLabel: 'lpmos-root',
          },
          settings: {
            hostname: 'host-001a2b3c4d5e',
            sshAuthorizedKeys: [],
            networkConfig: 'dhcp',
            checkIn: {
              url: 'https://10.77.0.1:8081/api/v1/agent/status',
              token: checkInToken(SECRETS, EXAMPLE_TASK_ID),
              tlsServerName: 'region.lab',
              partnerUrl: 'https://10.77.0.2:8081/api/v1/agent/status',
            },
          },
        },
      },
    });
  });

  it('name the host as the task does, else after its machine', () => {
    const named = exampleTask({ grant: 'a', metadata: { ...EXAMPLE_METADATA, hostname: 'db1' } });
    const message = orderMessage(named, { kind: 'install', attempt: 1 }, surroundings).message;
    expect(message).toMatchObject({ value: { settings: { hostname: 'db1' } } });
    expect(defaultHostname(task)).toMatch(/^[a-z0-9-]{1,63}$/);
  });

  it('to install leave the boot order alone where the task says so', () => {
    const kept = exampleTask({ grant: 'a', metadata: { ...EXAMPLE_METADATA, boot: { order: 'unchanged' } } });
    const message = orderMessage(kept, { kind: 'install', attempt: 1 }, surroundings).message;
    expect(message).toMatchObject({ value: { keepBootOrder: true } });
  });

  it('to install become a wait where grant or image is missing', () => {
    const { grant: _gone, ...ungranted } = task;
    const install = { kind: 'install', attempt: 1 } as const;
    expect(orderMessage(ungranted, install, surroundings).message).toMatchObject({
      $case: 'wait',
      value: { reason: expect.stringContaining('no grant') as string },
    });
    const without = { ...surroundings, imageOf: () => undefined };
    expect(orderMessage(task, install, without).message?.$case).toBe('wait');
  });
});
