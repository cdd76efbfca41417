// Node's library, where it meets the kernel. Prints what fails, and `done`.
const child = require('child_process');
const crypto = require('crypto');
const dgram = require('dgram');
const dns = require('dns');
const fs = require('fs');
const http = require('http');
const net = require('net');
const os = require('os');
const zlib = require('zlib');
const { once } = require('events');
const { pipeline } = require('stream/promises');
const { Worker } = require('worker_threads');

async function files() {
  const p = fs.promises;
  const dir = fs.mkdtempSync('/tmp/node-');
  const path = `${dir}/a`;
  const [uid, gid] = [process.getuid(), process.getgid()];
  await p.writeFile(path, 'text');
  await p.copyFile(path, `${dir}/b`);
  await p.rename(`${dir}/b`, `${dir}/c`);
  await p.chmod(path, 0o600);
  await p.chown(path, uid, gid);
  await p.lchown(path, uid, gid);
  await p.utimes(path, 1, 1);
  await p.link(path, `${dir}/l`);
  await p.symlink('a', `${dir}/s`);
  await p.realpath(`${dir}/s`);
  await p.lstat(`${dir}/s`);
  await p.access(path);
  await p.mkdir(`${dir}/m/n`, { recursive: true });
  await p.readdir(dir, { withFileTypes: true });
  await p.cp(dir, `${dir}x`, { recursive: true });
  const file = await p.open(path, 'r+');
  await file.sync();
  await file.datasync();
  await file.writev([Buffer.from('a'), Buffer.from('b')], 0);
  await file.readv([Buffer.alloc(1)], 0);
  await file.utimes(1, 1);
  await file.chown(uid, gid);
  await file.truncate(1);
  await file.close();
  await p.statfs('/');
  fs.watch(dir, () => {}).close();
  await pipeline(fs.createReadStream(path), zlib.createGzip(), fs.createWriteStream(`${dir}/z`));
  await p.rm(dir, { recursive: true });
  await p.rm(`${dir}x`, { recursive: true });
}

async function processes() {
  child.execFileSync('/bin/echo', ['a']);
  child.execSync('echo a | cat');
  await once(child.spawn('/bin/true', { detached: true }), 'exit');
  const forked = child.fork(__filename, ['child']);
  await once(forked, 'message');
  forked.kill();
  await once(forked, 'exit');
  const script = `const cell = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(cell, 0, 0, 1); require('worker_threads').parentPort.postMessage(1)`;
  await once(new Worker(script, { eval: true }), 'exit');
  const came = once(process, 'SIGUSR2');
  process.kill(process.pid, 'SIGUSR2');
  // Waiting for a signal alone does not keep Node alive.
  const alive = setInterval(() => {}, 1000);
  await came;
  clearInterval(alive);
}

async function network() {
  await dns.promises.lookup('localhost');
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.send('x', socket.address().port, '127.0.0.1');
  await once(socket, 'message');
  socket.close();
  const local = net.createServer((peer) => peer.end('x')).listen(`/tmp/socket-${process.pid}`);
  await once(local, 'listening');
  await once(net.connect(local.address()).resume(), 'end');
  local.close();
  const server = http.createServer((_, response) => response.end('x')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  await answer.text();
  server.close();
}

async function machine() {
  os.cpus(); os.networkInterfaces(); os.userInfo(); os.freemem(); os.loadavg(); os.uptime();
  os.setPriority(os.getPriority());
  process.resourceUsage();
  process.umask();
  crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  crypto.randomUUID();
  await new Promise((resolve) => crypto.pbkdf2('a', 'b', 1, 32, 'sha256', resolve));
  new WebAssembly.Module(Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]));
}

async function main() {
  for (const part of [files, processes, network, machine]) {
    await part().catch((error) => console.log(part.name, error));
  }
  console.log('done');
  process.exit(0);
}

if (process.argv[2] === 'child') {
  process.send('ready');
  setInterval(() => {}, 1000);
} else {
  main();
}
