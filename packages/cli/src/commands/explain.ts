/** `lpmos explain`: what a machine would be answered, step by step, replayed here with the region's own functions. */
import { writeFile } from 'node:fs/promises';
import { readBootClient, USUAL_CLIENTS } from '../boot/client-table';
import { explainBoot } from '../boot/explain';
import type { ExplainedLink, Explanation } from '../boot/explain';
import { gatherInputs, parseInputs } from '../boot/explain-inputs';
import type { ExplainInputs } from '../boot/explain-inputs';
import { optionText } from '../command';
import type { CommandContext, CommandOptions, CommandRun } from '../command';
import { EXIT_DONE } from '../exit-codes';
import { alignColumns } from '../output/table';
import { note, printable, say, sayJson } from '../terminal';
import { invalidOption } from '../usage-error';

export const run: CommandRun = async ({ context, options }) => {
  const asIf = optionText(options, 'asIf');
  const clients = (asIf === undefined ? USUAL_CLIENTS : [asIf]).map((text) =>
    readBootClient(text, '--as-if'),
  );
  const inputs = await readInputs(context, options);
  const save = optionText(options, 'save');
  if (save !== undefined) await saveInputs(context, inputs, save);
  const explanations = clients.map((client) => explainBoot(inputs, client, context.nowMs()));
  if (context.format === 'json') {
    sayJson(context.terminal, { explanations });
    return EXIT_DONE;
  }
  for (const line of explanations.flatMap(explanationLines)) say(context.terminal, line);
  return EXIT_DONE;
};

async function readInputs(context: CommandContext, options: CommandOptions): Promise<ExplainInputs> {
  const from = optionText(options, 'from');
  const mac = optionText(options, 'mac');
  const region = optionText(options, 'region');
  if (from !== undefined) {
    if (mac !== undefined || region !== undefined) {
      throw invalidOption('--from', 'holds machine and region already; leave out --mac and --region');
    }
    return parseInputs(await readSaved(context, from));
  }
  if (mac === undefined) throw invalidOption('--mac', 'is required, unless --from names a saved explanation');
  return gatherInputs(await context.connect(), { mac, ...(region === undefined ? {} : { region }) });
}

async function readSaved(context: CommandContext, path: string): Promise<string> {
  try {
    return await context.readFile(path);
  } catch (thrown) {
    throw invalidOption(
      '--from',
      `cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
  }
}

async function saveInputs(context: CommandContext, inputs: ExplainInputs, path: string): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(inputs, null, 2)}\n`);
  } catch (thrown) {
    throw invalidOption(
      '--save',
      `cannot be written: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
  }
  note(context.terminal, `saved; replay it anywhere with: lpmos explain --from ${path}`);
}

function explanationLines(explanation: Explanation): string[] {
  const { decision } = explanation;
  const what = decision.kind === 'agent' ? `agent (${decision.purpose})` : decision.kind;
  return [
    `${explanation.mac} in region ${explanation.region_id}, as if it were ${explanation.as_if}`,
    `decision: ${what}, because ${decision.reason}`,
    ...(explanation.links.length === 0 ? ['the region does DHCP on no link'] : []),
    ...explanation.links.flatMap(linkLines),
    ...scriptLines(explanation.script),
    'because:',
    ...indented(explanation.because),
    '',
  ].map((line) => printable(line));
}

function linkLines(link: ExplainedLink): string[] {
  return [
    `link ${link.link} (${link.mode}, ${link.subnet})`,
    ...link.steps.flatMap((step) => [
      `  ${step.asks}: ${step.answer}`,
      ...(step.fault === undefined ? [] : [`    to mend: ${step.fault}`]),
      ...indented(alignColumns(step.fields.map(({ field, value }) => [field, value])), '    '),
    ]),
    ...scriptLines(link.script),
  ];
}

function scriptLines(script: string | undefined): string[] {
  return script === undefined ? [] : ['script:', ...indented(script.trimEnd().split('\n'))];
}

function indented(lines: readonly string[], by = '  '): string[] {
  return lines.map((line) => by + line);
}
