/** The program lpmos-regional-daemon. */
import { main } from '@lpmos/runtime';
import { version } from '../package.json';
import { environment, listenVariables, REGIONAL_DAEMON_CONFIG } from './config';
import { readPassedSockets } from './links/passed-sockets';
import { createRegionalDaemon } from './regional-daemon';

void main(
  {
    name: 'lpmos-regional-daemon',
    version,
    summary: 'boots, reports and installs the machines of one region',
    examples: [
      'lpmos-regional-daemon --config /etc/lpmos/region.yaml',
      'LPMOS_REGION_ID=dc1 LPMOS_SERVICE_ADDRESS=10.0.0.2 lpmos-regional-daemon --print-config',
    ],
    table: REGIONAL_DAEMON_CONFIG,
    reloads: true,
    logLevel: (config) => config.logLevel,
    components: (config, context) =>
      createRegionalDaemon({ config, passed: readPassedSockets(listenVariables, process.pid), ...context }),
  },
  environment,
);
