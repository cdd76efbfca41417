// A handler behind a bare Unix socket: what an invocation costs without any platform.
//
// Usage: unix_server.mjs SOCKET FOLDER HANDLER. A message is its length in 4 bytes, big-endian, and JSON.

import { createServer } from 'node:net';
import { load } from './load.mjs';

const [path, folder, name] = process.argv.slice(2);
const handler = await load(folder, name);
const context = { awsRequestId: 'baseline', functionName: 'baseline', memoryLimitInMB: '128' };

async function answer(socket, message) {
  const response = Buffer.from(JSON.stringify(await handler(JSON.parse(message), context)));
  const framed = Buffer.allocUnsafe(4 + response.length);
  framed.writeUInt32BE(response.length);
  response.copy(framed, 4);
  socket.write(framed);
}

createServer((socket) => {
  let buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (piece) => {
    buffer = buffer.length === 0 ? piece : Buffer.concat([buffer, piece]);
    while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUInt32BE(0)) {
      const end = 4 + buffer.readUInt32BE(0);
      const message = buffer.toString('utf8', 4, end);
      buffer = buffer.subarray(end);
      answer(socket, message).catch((error) => socket.destroy(error));
    }
  });
}).listen(path);
