export { backoffDelayMs, sleep, whenAborted } from './backoff';
export type { BackoffPolicy } from './backoff';
export { createManualClock, systemClock } from './clock';
export type { ManualClock } from './clock';
export { ConfigError, defineConfig, describeConfig, fileKey, readConfig, readConfigFile } from './config';
export type { ConfigField, ConfigOf, ConfigSources, ConfigTable, ConfigType } from './config';
export {
  choiceType,
  fileContentType,
  integerType,
  ipv4Type,
  jsonType,
  listType,
  pathType,
  portType,
  textType,
  endpointType,
} from './config-types';
export { createHealth } from './health';
export type { Health, HealthCheck, HealthReport } from './health';
export {
  certificateProblems,
  etcdTlsProblems,
  keyPairProblems,
  publicKeyProblems,
  readCertificates,
} from './key-files';
export type { KeyFile } from './key-files';
export { createLogger, LOG_LEVELS, silentLogger } from './logger';
export type { LogFields, Logger, LogLevel } from './logger';
export { createMetrics } from './metrics';
export type { Metrics } from './metrics';
export { main, runProgram } from './program';
export type { Program, ProgramContext, ProgramProcess } from './program';
export { reloads } from './reload';
export type { OnReload, ReloadListener, Reread } from './reload';
export { runGroup } from './run-group';
export type { Component, RunGroupOptions } from './run-group';
