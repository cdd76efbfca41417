// Several invocations at once; loaded for functions whose instances serve more than one.
//
// Until its first numbered event the process waits in the blocking read of `channel.mjs`, as any other: it may be frozen
// there, and cloned. From then on the event loop reads the channel, since handlers wait in it while the next event comes.

import { AsyncLocalStorage } from 'node:async_hooks';
import { Socket } from 'node:net';
import { FD, HEADER_BYTES, INVOKE, handOver, readHeader, refuse, writeHeader } from './channel.mjs';

const calls = new AsyncLocalStorage();
let socket;
let parts = []; // what has come of the next frame: joined once, when all of it is there
let have = 0;
let wanted = HEADER_BYTES;
let sending = 0; // frames that the kernel has not taken yet
const onSent = [];

/** Whether the event loop reads the channel. */
export function isOpen() {
  return socket !== undefined;
}

/** The invocation in whose asynchronous context this is called, if any. */
export function current() {
  return calls.getStore();
}

/** Runs `work` as part of an invocation. */
export function runIn(call, work) {
  calls.run(call, work);
}

/**
 * Has the event loop read the channel from here on: `accept(event, meta, body)` is called with each invocation, of which
 * the first is here.
 */
export function open(accept, ...first) {
  const take = (bytes) => {
    parts.push(bytes);
    have += bytes.length;
    if (have >= wanted) takeFrames(accept);
  };
  const left = () => process.exit(have === 0 ? 0 : 1);
  socket = new Socket({ fd: FD, readable: true, writable: true });
  socket.on('end', left).on('error', left);
  accept(...first);
  take(handOver());
  socket.on('data', take);
}

function takeFrames(accept) {
  let frame = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  wanted = HEADER_BYTES;
  while (frame.length >= HEADER_BYTES) {
    const { kind, event, metaBytes, bodyBytes } = readHeader(frame);
    if (kind !== INVOKE || event === 0) refuse(`kind ${kind} for event ${event} among several`);
    const bodyStart = HEADER_BYTES + metaBytes;
    const total = bodyStart + bodyBytes;
    if (frame.length < total) {
      wanted = total;
      break;
    }
    accept(event, frame.toString('utf8', HEADER_BYTES, bodyStart), frame.toString('utf8', bodyStart, total));
    frame = frame.subarray(total);
  }
  parts = frame.length > 0 ? [frame] : [];
  have = frame.length;
}

/** Sends one frame about an event; `done` is called when the kernel has all of it. */
export function post(event, kind, body = '', meta = '', done = undefined) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const metaBytes = Buffer.from(meta);
  const head = Buffer.alloc(HEADER_BYTES);
  writeHeader(head, kind, event, metaBytes.length, bytes.length);
  const parts = [head, metaBytes, bytes].filter((part) => part.length > 0);
  sending += 1;
  socket.cork();
  for (const part of parts.slice(0, -1)) socket.write(part);
  socket.write(parts.at(-1), () => sent(done));
  socket.uncork();
}

function sent(done) {
  sending -= 1;
  done?.();
  if (sending === 0) for (const next of onSent.splice(0)) next();
}

/** Calls `next` when all frames are with the kernel. */
export function whenSent(next) {
  if (sending === 0) next();
  else onSent.push(next);
}
