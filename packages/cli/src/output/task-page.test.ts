import { EXAMPLE_IMAGE, EXAMPLE_TASK } from '../example-task';
import { chooseDisk } from '../target-disk';
import { painter } from '../terminal';
import { contentsLines } from './disks';
import { taskPage } from './task-page';
import type { TaskPageInput } from './task-page';

const paint = painter({ color: false });
const nowMs = Date.parse('2026-01-29T10:10:30.000Z');

function page(change: Partial<TaskPageInput> = {}): string {
  return taskPage({ task: EXAMPLE_TASK, target: undefined, nowMs, paint, ...change }).join('\n');
}

function target(selector: string, rawSize: number = EXAMPLE_IMAGE.raw_size_bytes): TaskPageInput['target'] {
  if (EXAMPLE_TASK.hardware === undefined) throw new Error('the example has hardware');
  return chooseDisk({ hardware: EXAMPLE_TASK.hardware, selector, image: { raw_size_bytes: rawSize } });
}

describe('the approver page', () => {
  it('shows every disk with serial, size, type and contents', () => {
    const text = page({ target: target('auto') });
    for (const fact of [
      '/dev/sda',
      'S4EVNX0M',
      '480 GB',
      'SSD',
      'ext4',
      '"payroll"',
      '/dev/sdb',
      'Z1X2Y3',
      '2.0 TB',
      'HDD',
      'lvm2',
    ]) {
      expect(text).toContain(fact);
    }
  });

  it('marks exactly the chosen disk as one that will be destroyed', () => {
    const marked = page({ target: target('serial=S4EVNX0M') })
      .split('\n')
      .filter((line) => line.includes('WILL BE DESTROYED'));
    expect(marked).toHaveLength(1);
    expect(marked[0]).toContain('/dev/sda');
  });

  it('says why no disk is chosen when two match', () => {
    const text = page({ target: target('auto') });
    expect(text).not.toContain('WILL BE DESTROYED');
    expect(text).toContain('2 disks match and exactly one must');
  });

  it('marks no disk that is smaller than the image', () => {
    expect(page({ target: target('type=SSD', 10 ** 12) })).toContain('smaller than the image');
  });

  it('marks the approved disk as such once approved', () => {
    const disk = EXAMPLE_TASK.hardware?.disks[0];
    if (disk === undefined) throw new Error('the example has a disk');
    const text = page({ target: { disk, approved: true } });
    expect(text).toMatch(/\/dev\/sda.*APPROVED FOR OVERWRITING/);
    expect(text).not.toContain('WILL BE');
  });

  it('lets no text from a machine move the cursor or reorder the line', () => {
    const task = structuredClone(EXAMPLE_TASK) as { hardware: { disks: { model: string }[] } };
    const [disk] = task.hardware.disks;
    if (disk === undefined) throw new Error('the example has a disk');
    disk.model = 'evil\u001b[2J\u202ereversed\rEMPTY';
    const text = page({ task: task as unknown as TaskPageInput['task'] });
    expect(text).not.toMatch(/[\u001b\r\u202e]/);
  });

  it('tells the time between events', () => {
    expect(page()).toMatch(/boot_contacted/);
    expect(page()).toMatch(/\+18\.0 s\s+hardware_reported/);
    expect(page()).toContain('pending_approval, for 5 min');
  });

  it('does not call an unreadable disk empty', () => {
    const lines = contentsLines({
      contents: { partition_table: 'unreadable', file_system: '', partitions: [] },
    });
    expect(lines.join()).toContain('COULD NOT BE READ');
  });
});
