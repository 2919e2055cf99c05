/**
 * Development aid: proves ramdisk, image and lab without any code of the product. dnsmasq plays DHCP, a static HTTP
 * server plays the region; one machine boots the ramdisk (with a second, site initramfs) or the demo image.
 * Usage: tsx scripts/lab/prove-boot.ts ramdisk|disk bios|uefi MEMORY_MIB WORK_DIR [virtio|ahci|nvme]
 * WORK_DIR holds ramdisk/ and image/ as the two builders make them; for `disk` also disk.raw, the unpacked image.
 */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { basename, join } from 'node:path';
import { encodeCpio, withParents } from '@lpmos/netboot';
import { startMachine, type Machine } from './machine';
import { namespaceCommand } from './namespace';
import { createBridge, createTap } from './network';
import { startRouter } from './router';

const HOST = '10.77.0.1';
const DEADLINE_MS = 240_000;
const MAC = '52:54:00:77:00:01';

const BOOT_SCRIPT = `#!ipxe
kernel http://${HOST}:8080/ramdisk/vmlinuz initrd=initramfs.img initrd=site.img console=tty0 console=ttyS0,115200 BOOTIF=01-\${net0/mac:hexhyp} lpmos.proof=1
initrd http://${HOST}:8080/ramdisk/initramfs.img
initrd http://${HOST}:8080/site.img
boot
`;

function serveFiles(workDir: string): void {
  const server = createServer((request, response) => {
    const path = join(workDir, decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/'));
    if (path.endsWith('boot.ipxe')) {
      response.end(BOOT_SCRIPT);
    } else if (path.startsWith(workDir) && existsSync(path)) {
      response.setHeader('content-length', statSync(path).size);
      createReadStream(path).pipe(response);
    } else response.writeHead(404).end();
    console.log(`http ${request.method ?? ''} ${basename(path)}`);
  });
  server.listen(8080, HOST);
}

function serveCheckIn(workDir: string, onCheckIn: (line: string) => void): void {
  const tls = { key: readFileSync(join(workDir, 'tls.key')), cert: readFileSync(join(workDir, 'tls.crt')) };
  createTlsServer(tls, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
    request.on('end', () => {
      response.writeHead(202).end('{}');
      onCheckIn(
        `${request.method ?? ''} ${request.url ?? ''} ${request.headers.authorization ?? ''} ${body}`,
      );
    });
  }).listen(8081, HOST);
}

function serveDhcp(): void {
  const args = [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--port=0',
    '--interface=lpmos0',
    '--bind-interfaces',
    '--dhcp-range=10.77.0.100,10.77.0.200,1h',
    '--dhcp-option-force=encap:175,176,1b',
    `--dhcp-boot=http://${HOST}:8080/boot.ipxe`,
    '--dhcp-leasefile=/dev/null',
    '--no-ping',
    '--user=root',
    '--pid-file=',
    '--log-facility=/dev/null',
  ];
  spawn('dnsmasq', args, { stdio: 'inherit' });
}

async function powerOn(
  firmware: 'bios' | 'uefi',
  memoryMiB: number,
  workDir: string,
  fromDisk: boolean,
): Promise<Machine> {
  const bus = (process.argv[6] ?? 'virtio') as 'virtio' | 'ahci' | 'nvme';
  return startMachine({
    name: 'proof',
    mac: MAC,
    uuid: '4c4c4544-0051-3510-8052-b4c04f4a3732',
    serial: 'PROOF01',
    memoryMiB,
    disk: { path: join(workDir, fromDisk ? 'disk.raw' : 'blank.raw'), sizeGiB: 4, serial: 'DISK01', bus },
    firmware: firmware === 'uefi' ? 'uefi-rom' : 'bios',
    tap: 'lpmos-m1',
    consoleLog: join(workDir, 'console.log'),
    accelerator: 'tcg',
    bootOrder: fromDisk ? 'disk-first' : 'network-first',
  });
}

async function follow(machine: Machine): Promise<void> {
  for await (const line of machine.console.lines())
    console.log(`${(line.atMs / 1000).toFixed(1)} ${line.text}`);
}

async function inside(
  mode: string,
  firmware: 'bios' | 'uefi',
  memoryMiB: number,
  workDir: string,
): Promise<void> {
  await createBridge({ name: 'lpmos0', address: `${HOST}/24` });
  await createTap({ name: 'lpmos-m1', bridge: 'lpmos0' });
  await startRouter({ bridge: 'lpmos0' });
  serveDhcp();
  serveFiles(workDir);
  const site = [
    {
      kind: 'file',
      name: 'lpmos/site/site.json',
      mode: 0o644,
      content: Buffer.from('{"region":"lab"}'),
    } as const,
  ];
  await writeFile(join(workDir, 'site.img'), encodeCpio(withParents(site)));
  const checkedIn = new Promise<void>((resolve) => {
    if (mode !== 'disk') return;
    serveCheckIn(workDir, (line) => {
      console.log(`CHECK-IN ${line}`);
      resolve();
    });
  });
  const machine = await powerOn(firmware, memoryMiB, workDir, mode === 'disk');
  void follow(machine);
  try {
    if (mode === 'ramdisk') await machine.console.waitFor(/PROBE ready/, { deadlineMs: DEADLINE_MS });
    else {
      await Promise.race([checkedIn, machine.console.waitFor(/never/, { deadlineMs: DEADLINE_MS })]);
      console.log(`CHECKED IN after ${machine.uptimeMs() / 1000} s`);
      await machine.console.waitFor(/lpmos: checked in/, { deadlineMs: 60_000 });
      await machine.console.waitFor(/login:/, { deadlineMs: 60_000 });
    }
    console.log(`PROVED after ${machine.uptimeMs() / 1000} s`);
  } finally {
    await machine.kill();
  }
}

const [mode = '', firmware = '', memory = '', workDir = '', , flag] = process.argv.slice(2);
if (flag === '--inside') {
  const run = inside(mode, firmware === 'uefi' ? 'uefi' : 'bios', Number(memory), workDir);
  run.then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
} else {
  const script = [join(__dirname, '../../node_modules/.bin/tsx'), __filename];
  const bus = process.argv[6] ?? 'virtio';
  const { command, args } = namespaceCommand([...script, mode, firmware, memory, workDir, bus, '--inside']);
  spawn(command, args, { stdio: 'inherit' }).on('exit', (code) => process.exit(code ?? 1));
}
