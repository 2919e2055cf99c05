/**
 * A region in one file for tests of simulated machines: the real servers of netboot on loopback, and a gateway and check-in door that
 * follow a script. It is strict: tickets are single use, numbers must rise, an attempt is ordered once, messages must be right.
 */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { sign } from 'jsonwebtoken';
import { hardwareDigest, identityOf, regionTag } from '@lpmos/core';
import type { BootDecision, GrantClaims, HardwareReport, MacAddress, RegionId } from '@lpmos/core';
import { hardwareFromWire } from '@lpmos/proto';
import type { SessionRequest, SessionResponse } from '@lpmos/proto';
import { startScriptedGateway } from './scripted-gateway';
import type { Call } from './scripted-gateway';
import { startScriptedNetboot } from './scripted-netboot';
import { newScriptedTask } from './scripted-task';
import type { ScriptedRegionOptions, ScriptedTask } from './scripted-task';
import { makeTestTls } from './simulator-tls';
import { writeNewc } from './newc-archive';

const SERVER_NAME = 'region.lab.lpmos.internal';
const ADDRESS = '127.0.0.1';
const TLS = makeTestTls(SERVER_NAME);

export async function startScriptedRegion(options: ScriptedRegionOptions = {}) {
  const region = 'lab' as RegionId;
  const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const raw = Buffer.concat([
    randomBytes(1024 * 1024 + 77),
    Buffer.alloc((options.rawSize ?? 3_000_000) - 1_048_653),
  ]);
  const compressed = gzipSync(raw);
  const served = options.imageServed?.(compressed) ?? compressed;
  const tasks = new Map<string, ScriptedTask>();
  const tickets = new Map<string, ScriptedTask>();
  const sessions = new Map<string, { task: ScriptedTask; acknowledged: number; token: string }>();
  const problems: string[] = [];

  const decide = (mac: MacAddress): BootDecision => {
    const special = options.decide?.(mac);
    if (special !== undefined) return special;
    const task = tasks.get(mac);
    if (task === undefined) return { kind: 'silent', reason: 'no task' };
    if (['completed', 'failed', 'rejected'].includes(task.state))
      return { kind: 'local-disk', reason: task.state };
    const purpose = task.state === 'waiting' ? 'report' : 'install';
    return { kind: 'agent', purpose, taskId: task.id, reason: task.state };
  };

  const grantOf = (task: ScriptedTask, report: HardwareReport): string => {
    const disk = report.disks[0];
    if (disk === undefined) throw new Error('no disk');
    const seconds = Math.floor(Date.now() / 1000);
    const claims: GrantClaims = {
      iss: 'lpmos-control-plane',
      aud: 'lpmos-boot-agent',
      sub: task.id,
      hardware_digest: hardwareDigest(report, sha256),
      disk: identityOf(disk),
      image_digest: `sha256:${options.image?.rawSha256 ?? digestOf(raw)}`,
      write_budget: options.budget ?? 3,
      iat: seconds,
      exp: seconds + 3600,
    };
    const key = options.foreignKey === true ? foreign.privateKey : keys.privateKey;
    return sign(options.claims?.(claims) ?? claims, key, { algorithm: 'ES256' });
  };

  const onReport = (
    task: ScriptedTask,
    report: HardwareReport,
    say: (m: SessionResponse['message']) => void,
  ): void => {
    task.reports.push(report);
    const digest = hardwareDigest(report, sha256);
    if (task.state === 'waiting') {
      const verdict = options.approve?.(report) ?? 'approve';
      if (verdict === 'reject') task.state = 'rejected';
      if (verdict === 'approve') {
        task.state = 'approved';
        task.digest = digest;
      }
    } else if (task.state === 'installing') task.state = 'approved';
    if (task.state === 'rejected') return say({ $case: 'reboot', value: { reason: 'rejected' } });
    if (task.state !== 'approved') return say({ $case: 'wait', value: { reason: 'approval' } });
    task.state = 'installing';
    task.attempt += 1;
    const approved = task.reports.find((each) => hardwareDigest(each, sha256) === task.digest) ?? report;
    task.lastOrder = {
      $case: 'install',
      value: {
        attempt: task.attempt,
        keepBootOrder: false,
        grant: grantOf(task, approved),
        image: options.image ?? {
          url: netboot.imageUrl,
          rawSha256: digestOf(raw),
          rawSizeBytes: String(raw.length),
          compressedSha256: digestOf(compressed),
          compressedSizeBytes: String(compressed.length),
          rootPartitionLabel: 'root',
        },
        settings: {
          hostname: 'node-1',
          sshAuthorizedKeys: ['ssh-ed25519 AAAA test'],
          networkConfig: 'dhcp',
          checkIn: {
            url: `https://${ADDRESS}:${checkInPort}/api/v1/agent/status`,
            token: `token-${task.id}`,
            tlsServerName: SERVER_NAME,
          },
        },
      },
    };
    say(task.lastOrder);
  };

  const onMessage = (id: string, request: SessionRequest, call: Call): void => {
    const session = sessions.get(id);
    const message = request.message;
    if (session === undefined || message === undefined) return;
    const { task } = session;
    const seq = Number(request.seq);
    const repeated = seq <= session.acknowledged;
    const ack = (): void => {
      session.acknowledged = Math.max(session.acknowledged, seq);
      call.write({ message: { $case: 'ack', value: { seq: request.seq } } });
    };
    const say = (value: SessionResponse['message']): void => void call.write({ message: value });
    if (repeated) return ack();
    switch (message.$case) {
      case 'hardware': {
        const reading = hardwareFromWire(message.value);
        if ('problems' in reading) {
          problems.push(...reading.problems.map(({ path, problem }) => `${path} ${problem}`));
          return;
        }
        ack();
        return onReport(task, reading.report, say);
      }
      case 'progress':
        task.percents.push(message.value.percent);
        return;
      case 'result':
        task.results.push(message.value);
        task.state = message.value.success ? 'completed' : 'failed';
        ack();
        if (message.value.failureClass === 'hardware_changed') task.state = 'waiting';
        else say({ $case: 'reboot', value: { reason: `task ${task.state}` } });
        return;
      case 'cancelObeyed':
        task.cancelled.push(message.value.message);
        task.state = 'failed';
        ack();
        say({ $case: 'reboot', value: { reason: 'cancelled' } });
        return;
      case 'hello':
      case 'log':
    }
  };

  const calls = new Set<Call>();
  const session = (call: Call): void => {
    let id: string | undefined;
    calls.add(call);
    call.on('error', () => undefined);
    call.on('end', () => call.end());
    call.on('data', (request: SessionRequest) => {
      if (id !== undefined) return onMessage(id, request, call);
      const hello = request.message?.$case === 'hello' ? request.message.value : undefined;
      const refuse = (details: string): void =>
        void call.emit('error', { code: status.UNAUTHENTICATED, details });
      if (hello?.proof === undefined || request.seq !== '0') return refuse('no hello');
      const { proof } = hello;
      let found = [...sessions].find(
        ([, each]) => proof.$case === 'sessionToken' && each.token === proof.value,
      );
      if (proof.$case === 'ticket') {
        const task = tickets.get(proof.value);
        tickets.delete(proof.value);
        if (task === undefined || task.id !== hello.taskId) return refuse('the ticket is spent');
        const made = { task, acknowledged: 0, token: randomBytes(8).toString('hex') };
        found = [randomBytes(8).toString('hex'), made];
        sessions.set(...found);
      }
      if (found === undefined) return refuse('no such session');
      const opened = found[1];
      id = found[0];
      opened.task.hellos.push(proof.$case);
      call.write({
        message: {
          $case: 'welcome',
          value: {
            sessionId: id,
            sessionToken: opened.token,
            regionId: region,
            serverTimeMs: String(Date.now()),
            acknowledgedSeq: String(opened.acknowledged),
          },
        },
      });
      const { lastOrder, state } = opened.task;
      const resumed = proof.$case === 'sessionToken';
      if (resumed && state === 'installing' && lastOrder !== undefined) call.write({ message: lastOrder });
    });
  };
  const first = await startScriptedGateway({ address: ADDRESS, tls: TLS, session });
  const second = await startScriptedGateway({ address: ADDRESS, tls: TLS, session });
  const gateways = options.daemons === 2 ? [first, second] : [first];

  const checkIn = createServer({ cert: TLS.cert, key: TLS.key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as { mac_address: string; task_id: string };
      const task = tasks.get(body.mac_address);
      const right = task !== undefined && request.headers.authorization === `Bearer token-${body.task_id}`;
      if (right) task.checkIns.push(body);
      response.writeHead(right ? 200 : 401).end();
    });
  });
  await new Promise<void>((resolve) => checkIn.listen(0, ADDRESS, resolve));
  const checkInPort = (checkIn.address() as AddressInfo).port;

  const site = gzipSync(
    writeNewc({
      'lpmos/site/ca.pem': TLS.ca,
      'lpmos/site/grant.pem': keys.publicKey.export({ type: 'spki', format: 'pem' }),
      'lpmos/site/site.json': JSON.stringify({
        schema_version: 1,
        region_id: region,
        tls_server_name: SERVER_NAME,
      }),
    }),
  );
  const netboot = await startScriptedNetboot({
    decide,
    image: served,
    ...(options.siteFiles === 'none' ? {} : { site }),
    kernelArguments: (mac, decision) => {
      const ticket = randomBytes(12).toString('hex');
      const task = tasks.get(mac);
      if (task !== undefined && decision.kind === 'agent') tickets.set(ticket, task);
      return [
        ['console', 'ttyS0'],
        ['lpmos.region', region],
        ['lpmos.agent', gateways.map(({ endpoint }) => endpoint).join(',')],
        ['lpmos.task', task?.id ?? ''],
        ['lpmos.ticket', ticket],
        ['lpmos.mac', mac],
      ];
    },
  });

  return {
    relay: netboot.relay,
    bootEvents: netboot.events,
    /** Two daemons; the second is named to agents where the test has asked for it. */
    daemons: [first, second] as const,
    problems,
    raw,
    rawSha256: digestOf(raw),
    loaderSha256: netboot.loaderSha256,
    network: netboot.network,
    leases: netboot.leases,
    addTask(mac: string): ScriptedTask {
      const task = newScriptedTask(regionTag(region, sha256));
      tasks.set(mac, task);
      return task;
    },
    /** Tokens that were given open nothing any more. */
    forgetSessions: () => sessions.clear(),
    /** Says something to every agent that is there. */
    order(message: NonNullable<SessionResponse['message']>): void {
      for (const call of calls) if (!call.cancelled && !call.destroyed) call.write({ message });
    },
    async stop(): Promise<void> {
      first.die();
      second.die();
      checkIn.closeAllConnections();
      await new Promise((resolve) => checkIn.close(resolve));
      await netboot.stop();
    },
  };
}

export type ScriptedRegion = Awaited<ReturnType<typeof startScriptedRegion>>;
