import { exitCodeOfFindings } from './findings';
import { clientPortFinding, relayPortFinding } from './port-check';

describe('a port that cannot be opened', () => {
  it.each([
    ['EACCES', 'run it as root'],
    ['EADDRINUSE', 'sport = :68'],
    ['EWHATEVER', 'what the system says'],
  ])('%s: says what was not looked at, why, and how to look', (code, fix) => {
    const finding = clientPortFinding(code);
    expect(finding.finding).toContain(`not looked at: UDP port 68 of this host cannot be opened (${code})`);
    expect(finding.finding).toContain('second server');
    expect(finding.fix).toContain(fix);
  });

  it('does not claim that machines cannot boot', () => {
    const findings = [clientPortFinding('EACCES'), relayPortFinding('10.0.0.1', 'EADDRNOTAVAIL')];
    expect(exitCodeOfFindings(findings)).toBe(24);
    expect(findings.map(({ check }) => check)).toEqual(['dhcp answer', 'relay path']);
  });
});
