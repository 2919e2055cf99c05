/**
 * A rule of the boot protocols as a row of data: what a server must do, where that is written, and who shows it. The registries
 * beside this file hold the rows; tests name the rule that they prove in their title (`TF4: …`); docs/conformance.md is made of both.
 * A test of the architecture fails for a rule that nobody tests and for a title that names no rule.
 */
export interface ConformanceRule {
  /** Letters of the registry and a number, as in `TF4`; never used again for another rule. */
  readonly id: string;
  /** One sentence, in the words of the specification where it has any. */
  readonly rule: string;
  /** Document and section; a quirk of the field names the client that has it. */
  readonly specification: string;
  /** Peers of the tests: foreign programs by name, `raw packets`, `own client`. */
  readonly clients: readonly string[];
  /** Where LPMOS does otherwise or less than the rule says, and why. */
  readonly remark?: string;
}
