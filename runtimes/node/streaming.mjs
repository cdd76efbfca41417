// The response stream of a handler wrapped by `awslambda.streamifyResponse`; loaded for such handlers only.

import { Writable } from 'node:stream';
import { CHUNK_LIMIT_BYTES, STREAM_BEGIN, STREAM_CHUNK } from './channel.mjs';
import { InvalidStreamingOperation } from './faults.mjs';

/** Sends what is written as chunks of the answer. The caller ends the answer, once stream and handler are done. */
export class ResponseStream extends Writable {
  /** Whether the answer has begun and can no longer be a plain error. */
  begun = false;
  #contentType = 'application/octet-stream';
  #post;

  /** `post(kind, body, meta, done)` sends a frame, and calls `done` when the next may come. */
  constructor(post, highWaterMark) {
    super(highWaterMark === undefined ? {} : { highWaterMark });
    this.#post = post;
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
    this.#sendChunks(chunk, done);
  }

  _final(done) {
    this.#begin(); // an empty body has its content type and prelude all the same
    done();
  }

  #begin() {
    if (this.begun) return;
    this.begun = true;
    this.#post(STREAM_BEGIN, '', JSON.stringify({ contentType: this.#contentType }));
    this._onBeforeFirstWrite?.((data) => this.#sendChunks(data));
  }

  #sendChunks(data, done = () => {}) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (bytes.length === 0) done();
    for (let at = 0; at < bytes.length; at += CHUNK_LIMIT_BYTES) {
      const end = at + CHUNK_LIMIT_BYTES;
      this.#post(STREAM_CHUNK, bytes.subarray(at, end), '', end < bytes.length ? undefined : done);
    }
  }
}
