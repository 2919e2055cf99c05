/**
 * The gRPC door for boot agents: one bidirectional stream per agent, dialled by the agent. Receives, admits, hands on, sends.
 * A wrong message ends the stream with a status that the agent's console can show; it never ends the daemon.
 */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { sendUnaryData, ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import { ERROR_TABLE, LpmosError } from '@lpmos/core';
import type { ErrorCode } from '@lpmos/core';
import { AgentServiceService } from '@lpmos/proto';
import type {
  AgentServiceServer,
  Hello,
  ReportRequest,
  ReportResponse,
  SessionRequest,
  SessionResponse,
} from '@lpmos/proto';
import type { Logger } from '@lpmos/runtime';
import { admit } from './admission';
import type { AdmissionOptions } from './admission';
import type { AgentLink, Agents } from './agents';
import { readHardware, takeMessage } from './conversation';
import type { ConversationOptions, Speaker } from './conversation';
import { orderMessage } from './orders';
import type { OrderSurroundings } from './orders';
import { nextSeq, settled, unaryNonce } from './statement';

export interface GrpcServiceOptions extends AdmissionOptions, ConversationOptions {
  readonly agents: Agents;
  readonly regionId: string;
  /** What an order names, as the peer at an IPv4 address reaches it. */
  readonly ordersFor: (peer: string) => OrderSurroundings;
  readonly logger: Logger;
  readonly tls: { readonly certPem: string; readonly keyPem: string };
  readonly addresses: readonly string[];
  readonly port: number;
}

/** A peer that connects and says nothing is no agent. */
const HELLO_DEADLINE_MS = 10_000;
/** A hardware report of a large server is below 100 KiB. */
const LARGEST_MESSAGE = 1024 * 1024;
/** An unary report waits for etcd at most so long; then its agent says it again. */
const REPORT_MS = 15_000;
/** Dead machines are noticed within half a minute. */
const KEEPALIVE = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.http2.min_ping_interval_without_data_ms': 5_000,
};
/** On shutdown agents are cut after this; they come back by themselves. */
const CLOSE_MS = 500;

export interface GrpcService {
  start(): Promise<{ readonly port: number }>;
  stop(): Promise<void>;
}

type Stream = ServerDuplexStream<SessionRequest, SessionResponse>;

export function createGrpcService(options: GrpcServiceOptions): GrpcService {
  const server = new Server({ 'grpc.max_receive_message_length': LARGEST_MESSAGE, ...KEEPALIVE });
  const service: AgentServiceServer = {
    session: (stream: Stream) => serveSession(options, stream),
    report: (call: ServerUnaryCall<ReportRequest, ReportResponse>, reply: sendUnaryData<ReportResponse>) =>
      void answerReport(options, call.request).then(
        (answer) => reply(null, answer),
        (thrown: unknown) => {
          const { code, message } = LpmosError.from(thrown);
          reply({ code: ERROR_TABLE[code].grpc, details: message });
        },
      ),
  };
  server.addService(AgentServiceService, service);
  return {
    async start() {
      let { port } = options;
      // One after the other: where the system chooses the port, all addresses get the same one.
      for (const address of options.addresses)
        port = await listenAt(server, options.tls, `${address}:${port}`);
      return { port };
    },
    stop: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, CLOSE_MS);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

function listenAt(server: Server, tls: GrpcServiceOptions['tls'], endpoint: string): Promise<number> {
  const pair = { cert_chain: Buffer.from(tls.certPem), private_key: Buffer.from(tls.keyPem) };
  return new Promise((resolve, reject) => {
    server.bindAsync(endpoint, ServerCredentials.createSsl(null, [pair]), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

/** `10.77.0.9` of `10.77.0.9:41234`. */
function peerAddress(stream: Stream): string {
  return /(?:\d{1,3}\.){3}\d{1,3}/.exec(stream.getPeer())?.[0] ?? '';
}

function serveSession(options: GrpcServiceOptions, stream: Stream): void {
  let speaker: Speaker | undefined;
  let link: AgentLink | undefined;
  let isGone = false;
  const helloTimer = setTimeout(() => end(stream, 'deadline_exceeded', 'no hello came'), HELLO_DEADLINE_MS);
  const leave = (): void => {
    isGone = true;
    clearTimeout(helloTimer);
    if (speaker !== undefined && link !== undefined) options.agents.detach(speaker.taskId, link);
  };
  stream.on('error', leave);
  stream.on('close', leave);
  stream.on('end', () => {
    leave();
    stream.end();
  });
  stream.on('data', (request: SessionRequest) => {
    if (speaker !== undefined) {
      const problem = takeMessage(options, speaker, request);
      if (problem !== undefined) end(stream, 'invalid_argument', problem);
      return;
    }
    clearTimeout(helloTimer);
    if (request.message?.$case !== 'hello')
      return end(stream, 'invalid_argument', 'the first message must be hello');
    const own = linkOf(options, stream);
    // What the agent says next waits until it is known who speaks.
    stream.pause();
    welcome(options, { stream, link: own, isGone: () => isGone }, request.message.value).then(
      (welcomed) => {
        speaker = welcomed;
        link = welcomed === undefined ? undefined : own;
        stream.resume();
      },
      (thrown: unknown) => {
        const { code, message } = LpmosError.from(thrown);
        end(stream, code, message);
      },
    );
  });
}

interface Caller {
  readonly stream: Stream;
  readonly link: AgentLink;
  readonly isGone: () => boolean;
}

async function welcome(
  options: GrpcServiceOptions,
  { stream, link, isGone }: Caller,
  hello: Hello,
): Promise<Speaker | undefined> {
  const { proof } = hello;
  const admission = await admit(options, {
    taskId: hello.taskId,
    macAddress: hello.macAddress,
    nonce: hello.nonce,
    proof:
      proof === undefined
        ? undefined
        : proof.$case === 'ticket'
          ? { ticket: proof.value }
          : { sessionToken: proof.value },
  });
  // Hung up meanwhile: nobody would ever take the session away again.
  if (isGone()) return undefined;
  if ('problem' in admission) {
    options.logger.warn(
      { task_id: hello.taskId, peer: stream.getPeer(), problem: admission.problem },
      'agent refused',
    );
    end(stream, admission.code, admission.problem);
    return undefined;
  }
  const { task, sessionId } = admission;
  const taskId = task.metadata.id;
  // The welcome goes first: attaching may at once lead to an order.
  const send = (acknowledgedSeq: string): void => {
    stream.write({
      message: {
        $case: 'welcome',
        value: {
          sessionId,
          sessionToken: admission.sessionToken,
          regionId: options.regionId,
          serverTimeMs: String(options.clock.nowMs()),
          acknowledgedSeq,
        },
      },
    });
  };
  send(options.agents.attach(taskId, sessionId, link).acknowledgedSeq);
  options.logger.info({ task_id: taskId, session_id: sessionId, peer: stream.getPeer() }, 'agent connected');
  return { taskId, sessionId };
}

function linkOf(options: GrpcServiceOptions, stream: Stream): AgentLink {
  return {
    acknowledge: (seq) => void stream.write({ message: { $case: 'ack', value: { seq } } }),
    order: (task, order) =>
      void stream.write(orderMessage(task, order, options.ordersFor(peerAddress(stream)))),
    close: (reason) => end(stream, 'conflict', reason),
  };
}

async function answerReport(options: GrpcServiceOptions, request: ReportRequest): Promise<ReportResponse> {
  const refuse = (code: ErrorCode, message: string): never => {
    throw new LpmosError({ code, message });
  };
  if (request.hardware === undefined) return refuse('invalid_argument', 'hardware is missing');
  const hardware = readHardware(request.hardware, options.sha256);
  if ('problem' in hardware) return refuse('invalid_argument', hardware.problem);
  const admission = await admit(options, {
    taskId: request.taskId,
    macAddress: hardware.report.mac_address,
    proof: { ticket: request.ticket },
    nonce: unaryNonce(request.ticket, options),
  });
  if ('problem' in admission) return refuse(admission.code, admission.problem);
  const { sessionId } = admission;
  const taskId = admission.task.metadata.id;
  const seq = nextSeq(options.clock);
  await settled({
    ...{ agents: options.agents, taskId, sessionId, seq, signal: AbortSignal.timeout(REPORT_MS) },
    say: () => options.agents.hear(taskId, sessionId, seq, { report: { seq, hardware } }),
  });
  return { status: 'received', taskId, nextAction: 'wait_for_approval' };
}

function end(stream: Stream, code: ErrorCode, details: string): void {
  stream.emit('error', Object.assign(new Error(details), { code: ERROR_TABLE[code].grpc, details }));
}
