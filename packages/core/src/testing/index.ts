/** What tests of all packages share of the domain: one example of each document. */
export * from './example-region';
export * from './example-task';
