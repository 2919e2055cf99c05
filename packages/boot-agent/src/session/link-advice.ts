/** What a technician can do about a link that does not come up, by the words of the TLS or socket error. A table. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/not yet valid/i, "the region's certificate lies in this machine's future: set the firmware clock"],
  [/expired/i, "the region's certificate is over, or this machine's clock is far ahead: check both"],
  [
    /self.signed|unable to (get|verify)/i,
    'the certificate is of another CA: ramdisk and region do not belong together',
  ],
  [
    /altnames|hostname\/ip/i,
    'the certificate is for another name: this is not the region that booted this machine',
  ],
  [/ECONNREFUSED/, 'the regional daemon does not listen: is it running?'],
  [
    /stand(s|ing)? ?by/i,
    'that daemon is well and does not lead: if no other answers, look after the one that leads',
  ],
  [/does not answer|ETIMEDOUT/, 'nothing comes back: is its host on, and is TCP to that port let through?'],
  [/EHOSTUNREACH|ENETUNREACH|EHOSTDOWN/, 'no way to the region: check cable, VLAN and gateway'],
];

export function linkAdvice(reason: string): string[] {
  return ADVICE.filter(([pattern]) => pattern.test(reason)).map(([, advice]) => advice);
}
