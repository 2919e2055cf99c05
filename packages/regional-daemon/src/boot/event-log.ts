/** Boot events made visible: a log line and a count for each. Who asks for history or explanations reads them from here on. */
import type { BootEvent } from '@lpmos/netboot';
import type { Logger, Metrics } from '@lpmos/runtime';

export interface BootEventLog {
  hear(event: BootEvent): void;
}

export function createBootEventLog(options: {
  readonly logger: Logger;
  readonly metrics: Metrics;
}): BootEventLog {
  const requests = options.metrics.counter(
    'lpmos_boot_requests_total',
    'Boot requests by protocol and outcome',
    ['protocol', 'outcome'],
  );
  const bytes = options.metrics.counter('lpmos_boot_sent_bytes_total', 'Bytes of boot files sent', [
    'protocol',
  ]);
  return {
    hear(event) {
      requests.inc({ protocol: event.protocol, outcome: event.outcome });
      if (event.bytes !== undefined) bytes.inc({ protocol: event.protocol }, event.bytes);
      const { decision, ...fields } = event;
      // Strangers' packets are daily weather; what concerns a machine of ours is news.
      const ours = decision !== undefined && decision.kind !== 'silent';
      const level = ours || event.outcome === 'failed' || event.outcome === 'completed' ? 'info' : 'debug';
      options.logger[level](
        { ...fields, ...(decision === undefined ? {} : { decision: decision.kind }) },
        'boot request',
      );
    },
  };
}
