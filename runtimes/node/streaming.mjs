// The response stream of a handler wrapped by `awslambda.streamifyResponse`; loaded for such handlers only.

import { Writable } from 'node:stream';
import { CHUNK_LIMIT_BYTES, STREAM_BEGIN, STREAM_CHUNK, send } from './channel.mjs';
import { InvalidStreamingOperation } from './faults.mjs';

/** Sends what is written as chunks of the answer. The caller ends the answer, once stream and handler are done. */
export class ResponseStream extends Writable {
  /** Whether the answer has begun and can no longer be a plain error. */
  begun = false;
  #contentType = 'application/octet-stream';

  constructor(highWaterMark) {
    super(highWaterMark === undefined ? {} : { highWaterMark });
  }

  setContentType(type) {
    if (this.begun) throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    this.#contentType = String(type);
  }

  write(chunk, ...rest) {
    const raw = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(raw ? chunk : JSON.stringify(chunk), ...rest);
  }

  _write(chunk, _encoding, done) {
    this.#begin();
    sendChunks(chunk);
    done();
  }

  _final(done) {
    this.#begin(); // an empty body has its content type and prelude all the same
    done();
  }

  #begin() {
    if (this.begun) return;
    this.begun = true;
    send(STREAM_BEGIN, '', JSON.stringify({ contentType: this.#contentType }));
    this._onBeforeFirstWrite?.(sendChunks);
  }
}

function sendChunks(data) {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; at += CHUNK_LIMIT_BYTES) {
    send(STREAM_CHUNK, bytes.subarray(at, at + CHUNK_LIMIT_BYTES));
  }
}
