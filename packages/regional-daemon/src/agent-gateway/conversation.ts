/**
 * What one message of an agent means: admission of a hello, and for everything after it the facts that reach the planner.
 * Shared by the gRPC stream, the unary call and the HTTP doors, so that all of them are held to the same rules.
 */
import { FAILURE_CLASSES, hardwareDigest } from '@lpmos/core';
import type { FailureClass, Sha256, StoredHardware, TaskId } from '@lpmos/core';
import { hardwareFromWire } from '@lpmos/proto';
import type { SessionRequest, WireHardwareReport } from '@lpmos/proto';
import type { Agents } from './agents';
import type { ProgressWriter } from './progress-writer';

export interface ConversationOptions {
  readonly agents: Agents;
  readonly progress: ProgressWriter;
  readonly sha256: Sha256;
}

export interface Speaker {
  readonly taskId: TaskId;
  readonly sessionId: string;
}

/** Lines and characters of one log message that are kept. */
const MOST_LOG_LINES = 200;
const LONGEST_LOG_LINE = 500;
/** Of what a machine says in a sentence. */
export const LONGEST_MESSAGE = 500;

/** Undefined when the message was taken; otherwise why it was not. */
export function takeMessage(
  options: ConversationOptions,
  speaker: Speaker,
  request: SessionRequest,
): string | undefined {
  const { message, seq } = request;
  const { taskId, sessionId } = speaker;
  if (!/^\d{1,18}$/.test(seq)) return 'seq is no number';
  switch (message?.$case) {
    case 'hardware': {
      const hardware = readHardware(message.value, options.sha256);
      if ('problem' in hardware) return hardware.problem;
      return heard(options.agents.hear(taskId, sessionId, seq, { report: { seq, hardware } }));
    }
    case 'progress': {
      const { attempt, phase, percent, message: text, bytesDone, bytesTotal } = message.value;
      options.agents.heardFrom(taskId, sessionId);
      options.progress.progress(taskId, {
        attempt,
        phase: printable(phase, 60),
        percent: Math.min(percent, 100),
        message: printable(text, LONGEST_MESSAGE),
        bytes_done: Number(bytesDone),
        bytes_total: Number(bytesTotal),
      });
      return undefined;
    }
    case 'result': {
      const { attempt, success, failureClass, message: text } = message.value;
      const result = {
        seq,
        attempt,
        success,
        failureClass: readFailureClass(failureClass),
        message: printable(text, LONGEST_MESSAGE),
      };
      return heard(options.agents.hear(taskId, sessionId, seq, { result }));
    }
    case 'cancelObeyed': {
      const cancelObeyed = { seq, message: printable(message.value.message, LONGEST_MESSAGE) };
      return heard(options.agents.hear(taskId, sessionId, seq, { cancelObeyed }));
    }
    case 'log': {
      const lines = message.value.lines.slice(0, MOST_LOG_LINES);
      options.agents.heardFrom(taskId, sessionId);
      options.progress.log(
        taskId,
        lines.map((line) => printable(line, LONGEST_LOG_LINE)),
      );
      return undefined;
    }
    case 'hello':
      return 'hello is said once, at the beginning';
    case undefined:
      return 'the message is empty or of a newer protocol';
  }
}

export function readHardware(
  wire: WireHardwareReport,
  sha256: Sha256,
): StoredHardware | { readonly problem: string } {
  const reading = hardwareFromWire(wire);
  if ('problems' in reading) {
    const problems = reading.problems.map(({ path, problem }) => `${path} ${problem}`);
    return { problem: `the hardware report is not valid: ${problems.join('; ')}`.slice(0, 2000) };
  }
  return { schema_version: 1, report: reading.report, digest: hardwareDigest(reading.report, sha256) };
}

function heard(current: boolean): string | undefined {
  return current ? undefined : 'another boot of this machine took over the session';
}

/** A failure of a newer agent is still a failure. */
function readFailureClass(text: string): FailureClass {
  return FAILURE_CLASSES.find((known) => known === text) ?? 'agent_fault';
}

/** Text of machines is text of strangers: bounded, and nothing that a terminal or a log would obey. */
export function printable(text: string, longest: number): string {
  return text.slice(0, longest).replace(/[^\x20-\x7e]/g, '?');
}
