/** `lpmos task explain`: the control plane's own explanation, printed as it is; every fact has a line. */
import type { CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { documentLines } from '../output/document';
import { resolveTask } from '../task-reference';
import { say, sayJson } from '../terminal';

export const run: CommandRun = async ({ context, args }) => {
  const api = await context.connect();
  const explanation = await api.explainTask(await resolveTask(api, args[0] ?? ''));
  if (context.format === 'json') sayJson(context.terminal, explanation);
  else for (const line of documentLines(explanation)) say(context.terminal, line);
  return EXIT_DONE;
};
