/**
 * Replays a boot decision offline with the very functions that the region runs: core's `decide`, netboot's DHCP answers and boot scripts.
 * Pure: inputs and a client in, the whole chain with its reasons out. The link is replayed-link.ts, the script replayed-script.ts.
 */
import { decide } from '@lpmos/core';
import type { BootDecision, OfferedLink } from '@lpmos/core';
import { bootRequest, explainAnswer } from '@lpmos/netboot';
import type { DhcpLink, ExplainedAnswer } from '@lpmos/netboot';
import { ipxeOf, requestOptions } from './client-table';
import type { BootClient } from './client-table';
import { answerFields, bootFileOf } from './dhcp-fields';
import type { AnswerField } from './dhcp-fields';
import { viewOf } from './explain-inputs';
import type { ExplainInputs } from './explain-inputs';
import { exampleHost, replayedLink } from './replayed-link';
import { grubScriptOf, ipxeScriptOf } from './replayed-script';
import type { ScriptQuestion } from './replayed-script';

export interface ExplainedStep {
  /** `bios asks by DHCPDISCOVER`. */
  readonly asks: string;
  /** `DHCPOFFER` or `silence`. */
  readonly answer: string;
  readonly reason: string;
  readonly fault?: string;
  readonly fields: readonly AnswerField[];
}

export interface ExplainedLink {
  readonly link: string;
  readonly mode: string;
  readonly subnet: string;
  readonly steps: readonly ExplainedStep[];
  /** Whether a script is reached on this link. */
  readonly reaches_script: boolean;
  /** What a machine of this link gets that asks for a script. */
  readonly script?: string;
}

export interface Explanation {
  readonly mac: string;
  readonly region_id: string;
  readonly as_if: string;
  readonly decision: BootDecision;
  readonly links: readonly ExplainedLink[];
  /** Where the region has no link: of a machine that asks for a script, whatever its DHCP server says. */
  readonly script?: string;
  /** From the task to what happens, one sentence each. */
  readonly because: readonly string[];
}

export function explainBoot(inputs: ExplainInputs, client: BootClient, nowMs: number): Explanation {
  const decision = decide(viewOf(inputs));
  const question = { inputs, client, decision, nowMs };
  const links = inputs.links.map((link) => explainLink(question, link));
  const { boot } = inputs;
  const script = links.length > 0 || boot === undefined ? undefined : ipxeScriptOf(question, boot);
  return {
    mac: inputs.mac,
    region_id: inputs.region_id,
    as_if: client.name,
    decision,
    links,
    ...(script === undefined ? {} : { script }),
    because: reasons(inputs, decision, links),
  };
}

interface Question extends ScriptQuestion {
  readonly nowMs: number;
}

function explainLink(question: Question, link: OfferedLink): ExplainedLink {
  const { first, next } = chainOn(question, link);
  const isGrub = next.some(({ answer }) => answer === GRUB_ANSWER);
  const script = isGrub ? grubScriptOf(question, link.boot) : ipxeScriptOf(question, link.boot);
  const steps = [...first, ...next];
  const isLed = steps.at(-1)?.file !== undefined && (question.client.isIpxe || next.length > 0);
  return {
    ...{ link: link.name, mode: link.mode, subnet: link.subnet },
    steps: steps.map(({ file: _file, ...step }) => step),
    reaches_script: isGrub || isLed,
    ...(script === undefined ? {} : { script }),
  };
}

interface Chain {
  /** What the client itself asks. */
  readonly first: readonly Asked[];
  /** What the loader asks that it was given. */
  readonly next: readonly Asked[];
}

function chainOn(question: Question, link: OfferedLink): Chain {
  const silence = (asks: string, reason: string): Chain => ({
    first: [{ asks, answer: 'silence', reason, fields: [] }],
    next: [],
  });
  if (link.mode === 'external') {
    const reason = 'another server does DHCP and TFTP on this link; LPMOS serves HTTP only';
    return silence(`${question.client.name} asks by DHCP`, reason);
  }
  const plan = replayedLink(link);
  if (typeof plan === 'string') return silence('the link', plan);
  const first = ask(question, plan);
  return { first, next: afterLoader(question, plan, first.at(-1)?.file) };
}

/** What the loader that a firmware was given does next. shim and GRUB ask no DHCP server; every other loader of ours is iPXE. */
function afterLoader(question: Question, link: DhcpLink, file: string | undefined): Asked[] {
  const { client } = question;
  if (file === undefined || client.isIpxe || client.architecture === undefined) return [];
  if (!GRUB_CHAIN.test(file)) return ask({ ...question, client: ipxeOf(client) }, link);
  const reason = `it asks the region for grub/grub.cfg and then for grub/machine/${question.inputs.mac}.cfg, which follows the same decision`;
  return [{ asks: `${file} is shim or GRUB`, answer: GRUB_ANSWER, reason, fields: [] }];
}

const GRUB_CHAIN = /shim|grub/i;
const GRUB_ANSWER = 'its own script';

interface Asked extends ExplainedStep {
  readonly file?: string;
}

function ask(question: Question, link: DhcpLink): Asked[] {
  const discover = step(question, link, 'dhcp');
  // Beside another server, firmware that got no boot file in the offer asks the boot server's port.
  if (link.mode !== 'proxy' || discover.answer === 'silence') return [discover];
  return [discover, step(question, link, 'boot-server')];
}

function step(
  { inputs, client, decision, nowMs }: Question,
  link: DhcpLink,
  port: 'dhcp' | 'boot-server',
): Asked {
  const type = port === 'dhcp' ? 'DHCPDISCOVER' : 'DHCPREQUEST';
  const address = exampleHost(link);
  const relay = port === 'dhcp' ? link.relays[0] : undefined;
  const packet = bootRequest({
    type,
    mac: inputs.mac,
    xid: 1,
    secs: 4,
    broadcast: port === 'dhcp',
    ...(port === 'dhcp' ? {} : { ciaddr: address }),
    ...(relay === undefined ? {} : { giaddr: relay, hops: 1 }),
    options: new Map(requestOptions(client)),
  });
  const from =
    port === 'dhcp' ? { address: relay ?? '0.0.0.0', port: 68 } : { address, port: BOOT_SERVER_PORT };
  const answer = explainAnswer({ link, packet, decision, port, from, nowMs });
  return {
    asks: `${client.name} asks by ${type}${port === 'dhcp' ? '' : ' on port 4011'}${relay === undefined ? '' : ' through a relay'}`,
    ...described(answer),
  };
}

function described(answer: ExplainedAnswer): Omit<Asked, 'asks'> {
  if (answer.kind === 'silence') return { answer: 'silence', reason: answer.reason, fields: [] };
  const file = bootFileOf(answer.packet);
  return {
    answer: answer.type,
    reason: answer.reason,
    ...(answer.fault === undefined ? {} : { fault: answer.fault }),
    fields: answerFields(answer.packet),
    ...(file === undefined ? {} : { file }),
  };
}

/** PXE 2.1: where boot servers listen and firmware asks from. */
const BOOT_SERVER_PORT = 4011;

function reasons(inputs: ExplainInputs, decision: BootDecision, links: readonly ExplainedLink[]): string[] {
  const { task } = inputs;
  const who =
    task === undefined
      ? `no task in region ${inputs.region_id} names ${inputs.mac}`
      : `task ${task.task_id} in region ${inputs.region_id} names ${inputs.mac} and is ${task.status}`;
  return [
    who,
    `so the decision is ${decision.kind}${decision.kind === 'agent' ? ` (${decision.purpose})` : ''}: ${decision.reason}`,
    ...links.flatMap((link) =>
      link.steps.map((each) => `on link ${link.link}, ${each.asks}: ${each.reason}`),
    ),
    ...links
      .filter((link) => link.reaches_script)
      .map((link) => `on link ${link.link} the machine runs the script`),
  ];
}
