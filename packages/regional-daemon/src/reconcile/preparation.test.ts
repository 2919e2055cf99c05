import type { ImageManifest } from '@lpmos/core';
import { exampleTask } from '@lpmos/core/testing';
import { preparationOf } from './preparation';

const debian = { os_type: 'debian', os_version: '12' } as ImageManifest;

describe('preparation', () => {
  it('is done when image and ramdisk are there', () => {
    expect(preparationOf(exampleTask(), { images: [debian], ramdisk: {} })).toEqual({ ready: true });
  });

  it.each<[string, { images: ImageManifest[]; ramdisk: unknown }, RegExp]>([
    [
      'the image',
      { images: [], ramdisk: {} },
      /^region dc1 lacks an image of debian 12 \(images it has: none\)/,
    ],
    ['the ramdisk', { images: [debian], ramdisk: undefined }, /lacks the ramdisk with the boot agent/],
    ['both', { images: [], ramdisk: undefined }, /the ramdisk with the boot agent and an image of/],
    ['this version', { images: [{ ...debian, os_version: '13' }], ramdisk: {} }, /it has: debian 13\)/],
  ])('says that %s is missing, and what to do', (_what, catalogue, words) => {
    const preparation = preparationOf(exampleTask(), catalogue);
    expect(preparation.ready).toBe(false);
    expect('reason' in preparation ? preparation.reason : '').toMatch(words);
    expect('reason' in preparation ? preparation.reason : '').toContain('copy it there');
  });
});
