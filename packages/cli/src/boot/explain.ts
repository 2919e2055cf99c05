/**
 * Replays a boot decision offline with the very functions that the region runs: core's `decide`, netboot's DHCP answers and boot scripts.
 * Pure: inputs and a client in, the whole chain with its reasons out. No real ticket exists here; the script shows a placeholder.
 */
import { decide } from '@lpmos/core';
import type { BootDecision, OfferedBoot, OfferedLink } from '@lpmos/core';
import {
  agentArguments,
  bootRequest,
  bootScript,
  explainAnswer,
  machineScriptUrl,
  parseDhcpLink,
  renderIpxeScript,
} from '@lpmos/netboot';
import type { DhcpLink, ExplainedAnswer } from '@lpmos/netboot';
import { ipxeOf, platformOf, requestOptions } from './client-table';
import type { BootClient } from './client-table';
import { answerFields, bootFileOf } from './dhcp-fields';
import type { AnswerField } from './dhcp-fields';
import { viewOf } from './explain-inputs';
import type { ExplainInputs } from './explain-inputs';

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

const TICKET_PLACEHOLDER = 'TICKET-OF-THAT-MOMENT';
/** Explanations do not roll dice. */
const MIDDLE_OF_JITTER = 0.5;

export function explainBoot(inputs: ExplainInputs, client: BootClient, nowMs: number): Explanation {
  const decision = decide(viewOf(inputs));
  const question = { inputs, client, decision, nowMs };
  const links = inputs.links.map((link): ExplainedLink => {
    const explained = explainLink(question, link);
    const isGrub = explained.steps.some(({ answer }) => answer === 'its own script');
    return isGrub ? explained : { ...explained, ...scriptOf(question, link.boot) };
  });
  return {
    mac: inputs.mac,
    region_id: inputs.region_id,
    as_if: client.name,
    decision,
    links,
    ...(links.length > 0 ? {} : scriptOf(question, inputs.boot)),
    because: reasons(inputs, decision, links),
  };
}

interface Question {
  readonly inputs: ExplainInputs;
  readonly client: BootClient;
  readonly decision: BootDecision;
  readonly nowMs: number;
}

function explainLink(question: Question, link: OfferedLink): ExplainedLink {
  const about = { link: link.name, mode: link.mode, subnet: link.subnet };
  if (link.mode === 'external') {
    const reason = 'another server does DHCP and TFTP on this link; LPMOS serves HTTP only';
    const step = { asks: `${question.client.name} asks by DHCP`, answer: 'silence', reason, fields: [] };
    return { ...about, steps: [step], reaches_script: false };
  }
  const plan = dhcpLink(link);
  if (typeof plan === 'string') {
    const step = { asks: 'the link', answer: 'silence', reason: plan, fields: [] };
    return { ...about, steps: [step], reaches_script: false };
  }
  const first = ask(question, plan);
  const next = afterLoader(question, plan, first.at(-1)?.file);
  const steps = [...first, ...next];
  const last = steps.at(-1);
  return {
    ...about,
    steps: steps.map(({ file: _file, ...step }) => step),
    reaches_script: last?.file !== undefined && (question.client.isIpxe || next.length > 0),
  };
}

/** What the loader that a firmware was given does next. shim and GRUB ask no DHCP server; every other loader of ours is iPXE. */
function afterLoader(question: Question, link: DhcpLink, file: string | undefined): Asked[] {
  const { client } = question;
  if (file === undefined || client.isIpxe || client.architecture === undefined) return [];
  if (!GRUB_CHAIN.test(file)) return ask({ ...question, client: ipxeOf(client) }, link);
  const reason = `it asks the region for grub/grub.cfg and then for grub/machine/${question.inputs.mac}.cfg, which follows the same decision`;
  return [{ asks: `${file} is shim or GRUB`, answer: 'its own script', reason, fields: [] }];
}

const GRUB_CHAIN = /shim|grub/i;

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
  const address = hostAddress(link);
  const packet = bootRequest({
    type,
    mac: inputs.mac,
    xid: 1,
    secs: 4,
    broadcast: port === 'dhcp',
    ...(port === 'dhcp' ? {} : { ciaddr: address }),
    options: new Map(requestOptions(client)),
  });
  const from = port === 'dhcp' ? { address: '0.0.0.0', port: 68 } : { address, port: BOOT_SERVER_PORT };
  const answer = explainAnswer({ link, packet, decision, port, from, nowMs });
  return {
    asks: `${client.name} asks by ${type}${port === 'dhcp' ? '' : ' on port 4011'}`,
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

/** A client of the link that is not the server itself. */
function hostAddress(link: DhcpLink): string {
  if (link.pool !== undefined) return link.pool.first;
  const [a, b, c, d] = link.serverAddress.split('.').map(Number);
  return [a, b, c, (d ?? 0) > 1 ? (d ?? 0) - 1 : (d ?? 0) + 1].join('.');
}

/** PXE 2.1: where boot servers listen and firmware asks from. */
const BOOT_SERVER_PORT = 4011;
const EXAMPLE_LEASE_SECONDS = 3600;

/** @returns a link, or why what the region published is none. */
function dhcpLink(link: OfferedLink): DhcpLink | string {
  const checked = parseDhcpLink({
    name: link.name,
    mode: link.mode,
    serverAddress: link.service_address,
    subnet: link.subnet,
    // Who leases nothing has no pool.
    ...(link.pool === undefined || link.mode === 'proxy' ? {} : { pool: link.pool }),
    dnsServers: [],
    leaseSeconds: EXAMPLE_LEASE_SECONDS,
    offerSeconds: 60,
    reservations: [],
    relays: [],
    ports: { server: 67, client: 68, relay: 67 },
    unknownClients: link.unknown_clients,
    boot: {
      nextServer: link.service_address,
      loaders: link.loaders,
      ...(link.http_loaders === undefined ? {} : { httpLoaders: link.http_loaders }),
      scriptUrl: link.script_url,
    },
  });
  if (checked.kind === 'link') return checked.link;
  const problems = checked.problems.map(({ path, problem }) => `${path} ${problem}`).join('; ');
  return `what the region published of this link cannot be replayed by this version: ${problems}`;
}

/** An operating system runs no script. */
function scriptOf(
  { inputs, client, decision }: Question,
  boot: OfferedBoot | undefined,
): { readonly script?: string } {
  if (boot === undefined || (client.architecture === undefined && !client.isIpxe)) return {};
  const { mac, region_id } = inputs;
  const kernelArguments =
    decision.kind === 'agent'
      ? agentArguments({
          fixed: boot.kernel_arguments,
          region: region_id,
          agentEndpoint: boot.agent_endpoint,
          taskId: decision.taskId,
          mac,
          ticket: TICKET_PLACEHOLDER,
        })
      : [];
  const steps = bootScript(decision, {
    machine: mac,
    region: region_id,
    retry: {
      url: machineScriptUrl(boot.base_url, { mac, platform: platformOf(client) }),
      seconds: boot.retry_seconds,
      attempts: boot.retry_attempts,
      jitter: MIDDLE_OF_JITTER,
    },
    agent: { kernelUrl: boot.kernel_url, initrdUrls: [...boot.initrd_urls], kernelArguments },
  });
  return { script: renderIpxeScript(steps) };
}

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
