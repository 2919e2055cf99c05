/** The command line as others may use it: a run from words to exit code, the command rows for docs, the exit codes. */
export { runCli } from './cli';
export type { CliHost } from './cli';
export { commandWords } from './command';
export type { CommandSpec, OptionSpec } from './command';
export { COMMANDS, NOUNS } from './command-table';
export { CLI_VARIABLES } from './config';
export { EXAMPLE_IMAGE, EXAMPLE_TASK, renderExamplePage } from './example-task';
export { exitCodeTable, TASK_END_EXIT } from './exit-codes';
export type { ExitCodeRow } from './exit-codes';
export { buildProgram } from './program';
export type { Terminal, TextSink } from './terminal';
