/** From an operator's words to exactly one disk, or to a sentence that names every candidate. */
import { EXAMPLE_REPORT } from '../testing/example-task';
import type { Disk } from './hardware';
import { isSameDisk, identityOf, parseDiskSelector, resolveDisk } from './disk-selector';

const [template] = EXAMPLE_REPORT.disks;
if (template === undefined) throw new Error('the example has no disk');
const small: Disk = { ...template, device: '/dev/sda', serial: 'SMALL', size_bytes: 100 };
const large: Disk = {
  ...template,
  device: '/dev/sdb',
  serial: 'LARGE',
  wwn: '',
  size_bytes: 900,
  type: 'HDD',
};
const stick: Disk = { ...template, device: '/dev/sdc', serial: 'STICK', size_bytes: 500, removable: true };
const nameless: Disk = { ...template, device: '/dev/sdd', serial: '', wwn: '', size_bytes: 500 };

function choose(text: string, disks: readonly Disk[], needed = 50): string {
  const selector = parseDiskSelector(text);
  if ('problem' in selector) return `refused: ${selector.problem}`;
  const result = resolveDisk(selector, disks, needed);
  return 'disk' in result ? result.disk.serial : `problem: ${result.problem}`;
}

describe('disk selectors', () => {
  it.each([
    ['auto', 'SMALL', [small, stick, nameless]],
    ['serial=large', 'LARGE', [small, large]],
    ['type=HDD', 'LARGE', [small, large]],
    ['smallest', 'SMALL', [small, large]],
    ['largest', 'LARGE', [small, large, stick]],
    ['type=ssd,smallest', 'SMALL', [small, large]],
  ])('%s chooses %s', (text, serial, disks) => expect(choose(text, disks)).toBe(serial));

  it('never guesses between two disks', () => {
    expect(choose('auto', [small, large])).toMatch(/^problem: 2 disks match.*serial=SMALL.*serial=LARGE/);
  });

  it('never chooses a disk that is too small, removable or nameless', () => {
    expect(choose('auto', [small], 101)).toMatch(/smaller than the image/);
    expect(choose('serial=STICK', [stick])).toMatch(/removable/);
    expect(choose('auto', [nameless])).toMatch(/neither serial nor WWN/);
  });

  it.each(['/dev/sda', 'serial=', '=x', 'colour=red', 'smallest,largest', '', 'x'.repeat(1000)])(
    'refuses %.20s',
    (text) => expect(choose(text, [small])).toMatch(/^refused: /),
  );

  it('knows a disk again by serial, WWN and size together', () => {
    expect(isSameDisk(identityOf(small), { ...small, device: '/dev/sdq' })).toBe(true);
    expect(isSameDisk(identityOf(small), { ...small, size_bytes: 101 })).toBe(false);
    expect(isSameDisk(identityOf(small), { ...small, serial: 'OTHER' })).toBe(false);
    expect(isSameDisk(identityOf(nameless), nameless)).toBe(false);
  });
});
