// The bootstrap's end of the channel; `docs/format/channel.md` specifies the frames.
//
// Reads and writes are synchronous on purpose. A runtime that waits for work blocks in one `read` of one descriptor:
// nothing of user code runs between two invocations, as on Lambda, where the environment is frozen then, and whoever
// clones the process can put another socket in the descriptor's place (an epoll set would keep the old one).

import { closeSync, openSync, readSync, writeSync, writevSync } from 'node:fs';

export const INVOKE = 1;
export const RESUME = 2;
export const FREEZE = 3;
export const COLLECT = 4;
export const BOOTED = 15;
export const READY = 16;
export const INIT_ERROR = 17;
export const RESPONSE = 18;
export const ERROR = 19;
export const STREAM_BEGIN = 20;
export const STREAM_CHUNK = 21;
export const STREAM_END = 22;
export const STREAM_ERROR = 23;
export const FROZEN = 24;
export const COLLECTED = 25;
export const CHUNK_LIMIT_BYTES = 1 << 20;

const VERSION = 1;
export const HEADER_BYTES = 16;
const META_LIMIT_BYTES = 65_536;
const BODY_LIMIT_BYTES = 64 << 20; // far above what the node sends; keeps a broken frame from taking all memory
/** The descriptor of the channel. */
export const FD = Number(process.env.OFFSHOOT_CHANNEL_FD ?? 3);

const inbox = Buffer.allocUnsafeSlow(65_536); // header, metadata and event of nearly every invocation in one read
const outbox = Buffer.allocUnsafeSlow(65_536);

// Of `inbox`, what the last read took beyond the frame that it was for: a clone gets its first two frames at once.
let keptFrom = 0;
let keptTo = 0;
let sink = FD; // where frames are written

/** Waits for one frame and returns `{ kind, event, meta, body }`; metadata and body are text. Ends the process at end of file. */
export function receive() {
  let have = takeKept();
  while (have < HEADER_BYTES) {
    const count = readSome(inbox, have, inbox.length - have);
    if (count === 0) process.exit(have === 0 ? 0 : 1);
    have += count;
  }
  const { kind, event, metaBytes, bodyBytes } = readHeader(inbox);
  const bodyStart = HEADER_BYTES + metaBytes;
  const total = bodyStart + bodyBytes;
  const frame = have < total ? receiveRest(have, total) : inbox;
  if (have > total) [keptFrom, keptTo] = [total, have];
  return { kind, event, meta: frame.toString('utf8', HEADER_BYTES, bodyStart), body: frame.toString('utf8', bodyStart, total) };
}

/** The header at the beginning of `bytes`; one that no frame for a runtime has ends the process. */
export function readHeader(bytes) {
  const kind = bytes[0];
  const event = bytes.readUInt16LE(2);
  const metaBytes = bytes.readUInt32LE(4);
  const bodyBytes = bytes.readUInt32LE(8) + bytes.readUInt32LE(12) * 2 ** 32;
  const known = kind === INVOKE || ([RESUME, FREEZE, COLLECT].includes(kind) && bodyBytes === 0 && event === 0);
  if (!known || bytes[1] !== VERSION || metaBytes > META_LIMIT_BYTES || bodyBytes > BODY_LIMIT_BYTES) {
    refuse(`kind ${kind}, version ${bytes[1]}`);
  }
  return { kind, event, metaBytes, bodyBytes };
}

/** Ends the process over a frame that it cannot use. */
export function refuse(what) {
  writeSync(2, `channel: unusable frame (${what})\n`);
  process.exit(1);
}

/** What was read beyond the last frame, for who reads from here on. */
export function handOver() {
  const kept = Buffer.from(inbox.subarray(keptFrom, keptTo));
  keptFrom = keptTo = 0;
  return kept;
}

/** Moves what was kept to the front; how many bytes it is. */
function takeKept() {
  const count = keptTo - keptFrom;
  if (count > 0) inbox.copyWithin(0, keptFrom, keptTo);
  keptFrom = keptTo = 0;
  return count;
}

/** Runs `work` with what it sends going nowhere; `event(meta, body)` has the next `receive` return an invocation. */
export async function rehearse(work) {
  const event = (meta, body) => {
    const metaBytes = inbox.write(meta, HEADER_BYTES);
    const bodyBytes = inbox.write(body, HEADER_BYTES + metaBytes);
    writeHeader(inbox, INVOKE, 0, metaBytes, bodyBytes);
    [keptFrom, keptTo] = [0, HEADER_BYTES + metaBytes + bodyBytes];
  };
  sink = openSync('/dev/null', 'w');
  try {
    await work(event);
  } finally {
    closeSync(sink);
    sink = FD;
  }
}

function receiveRest(have, total) {
  let frame = inbox;
  if (total > inbox.length) {
    frame = Buffer.allocUnsafeSlow(total);
    inbox.copy(frame, 0, 0, have);
  }
  while (have < total) {
    const count = readSome(frame, have, total - have);
    if (count === 0) process.exit(1);
    have += count;
  }
  return frame;
}

function readSome(buffer, at, size) {
  try {
    return readSync(FD, buffer, at, size, null);
  } catch (error) {
    return leave(error);
  }
}

function leave(error) {
  // A peer that is gone is left without a word; Node has no call that makes a descriptor blocking.
  if (error.code === 'EAGAIN') writeSync(2, 'channel: the descriptor must be in blocking mode\n');
  else if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
  return process.exit(1);
}

/** Sends one frame; `body` is text or bytes, `meta` text. Returns when the kernel has taken all of it. */
export function send(kind, body = '', meta = '') {
  // A UTF-16 unit takes at most three bytes of UTF-8, so this bound needs no look at the text.
  const small = typeof body === 'string' && HEADER_BYTES + 3 * (body.length + meta.length) <= outbox.length;
  try {
    if (small) {
      const metaBytes = outbox.write(meta, HEADER_BYTES);
      const bodyBytes = outbox.write(body, HEADER_BYTES + metaBytes);
      writeHeader(outbox, kind, 0, metaBytes, bodyBytes);
      writeAll(outbox, 0, HEADER_BYTES + metaBytes + bodyBytes);
    } else {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      const metaBuffer = Buffer.from(meta);
      const head = Buffer.concat([Buffer.alloc(HEADER_BYTES), metaBuffer]);
      writeHeader(head, kind, 0, metaBuffer.length, bytes.length);
      const sent = writevSync(sink, [head, bytes]);
      if (sent < head.length) writeAll(head, sent, head.length);
      writeAll(bytes, Math.max(0, sent - head.length), bytes.length);
    }
  } catch (error) {
    leave(error);
  }
}

export function writeHeader(buffer, kind, event, metaBytes, bodyBytes) {
  buffer[0] = kind;
  buffer[1] = VERSION;
  buffer.writeUInt16LE(event, 2);
  buffer.writeUInt32LE(metaBytes, 4);
  buffer.writeUInt32LE(bodyBytes >>> 0, 8);
  buffer.writeUInt32LE(Math.floor(bodyBytes / 2 ** 32), 12);
}

function writeAll(buffer, from, to) {
  while (from < to) from += writeSync(sink, buffer, from, to - from);
}
