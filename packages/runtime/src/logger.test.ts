import { createLogger } from './logger';

function logged(write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger({ name: 'test', level: 'info', write: (line) => lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the logger', () => {
  it('writes one object a line, with service, level in words and time', () => {
    const [line] = logged((logger) => logger.child({ region_id: 'dc1' }).warn({ task_id: 't' }, 'hello'));
    expect(line).toMatchObject({
      service: 'test',
      level: 'warn',
      region_id: 'dc1',
      task_id: 't',
      msg: 'hello',
    });
    expect(Date.parse(String(line?.['time']))).not.toBeNaN();
  });

  it('leaves out what is below its level', () => {
    expect(logged((logger) => logger.debug({}, 'quiet'))).toEqual([]);
  });

  it.each(['token', 'ticket', 'grant', 'authorization', 'password', 'secret', 'private_key'])(
    'shows no %s, at the top or one below',
    (name) => {
      const lines = logged((logger) => logger.info({ [name]: 'hunter2', inner: { [name]: 'hunter2' } }, 'x'));
      expect(JSON.stringify(lines)).not.toContain('hunter2');
      expect(lines[0]?.[name]).toBe('[secret]');
    },
  );

  it('shows no secret of a child logger or of an error', () => {
    const lines = logged((logger) => {
      logger.child({ session: { token: 'hunter2', id: 7 } }).info({}, 'x');
      logger.error({ err: Object.assign(new Error('refused'), { ticket: 'hunter2' }) }, 'x');
    });
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    expect(lines[0]?.['session']).toEqual({ token: '[secret]', id: 7 });
    expect(lines[1]?.['err']).toMatchObject({ message: 'refused', ticket: '[secret]' });
  });

  it('changes nothing that its caller still holds', () => {
    const fields = { inner: { token: 'hunter2' } };
    logged((logger) => logger.info(fields, 'x'));
    expect(fields).toEqual({ inner: { token: 'hunter2' } });
  });

  it('writes errors with their causes', () => {
    const cause = new Error('the disk is full');
    const [line] = logged((logger) => logger.error({ err: new Error('cannot write', { cause }) }, 'x'));
    expect(JSON.stringify(line)).toContain('cannot write');
    expect(JSON.stringify(line)).toContain('the disk is full');
  });
});
