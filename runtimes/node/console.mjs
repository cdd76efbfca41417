// `console` as on Lambda: one line per call, with time, request and level, in text or JSON; everything to stdout.

import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { asError, toLogText } from './faults.mjs';

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const require = createRequire(import.meta.url);

const streams = { stdout: undefined, stderr: undefined }; // those that user code asked for
const pause = new Int32Array(new SharedArrayBuffer(4));
let requestId;
let nameRequest = () => requestId;
let format;
let asJson;

/** Names the invocation in every later line. */
export function setRequestId(id) {
  requestId = id;
}

/** Has `name` tell the invocation of each line, where there are several. */
export function nameRequestsBy(name) {
  nameRequest = name;
}

/** Replaces the methods of the global `console`. */
export function patchConsole() {
  readLogSettings();
  for (const name of ['stdout', 'stderr']) watchStream(name);
}

/** Format and level are the function's, which may arrive later than the process. */
export function readLogSettings() {
  asJson = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const lowest = LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  for (const [at, level] of LEVELS.entries()) {
    console[level.toLowerCase()] = at < lowest ? () => {} : (...values) => print(level, values);
  }
  console.log = console.info;
}

/** Prints an error that ends an invocation or the start. */
export function logError(title, error) {
  if (asJson) console.error(asError(error));
  else console.error(title, toLogText(asError(error)));
}

/** Calls `next` when all that user code wrote is with the kernel; at once, if there is nothing to wait for. */
export function whenFlushed(next) {
  const waiting = Object.values(streams).find((stream) => stream?.writableLength > 0 && !stream.destroyed);
  if (waiting === undefined) next();
  else waiting.write('', () => whenFlushed(next));
}

// `process.stdout` is made on first use and costs more than a millisecond, which most functions never pay.
function watchStream(name) {
  const lazy = Object.getOwnPropertyDescriptor(process, name);
  Object.defineProperty(process, name, { ...lazy, get: () => (streams[name] ??= lazy.get.call(process)) });
}

function print(level, values) {
  format ??= require('node:util').format;
  const time = new Date().toISOString();
  const line = asJson ? jsonLine(time, level, values) : `${time}\t${nameRequest()}\t${level}\t${format(...values)}`;
  write(`${line.replaceAll('\n', '\r')}\n`);
}

function write(text) {
  if (streams.stdout !== undefined) {
    streams.stdout.write(text); // keeps the order with what user code queued there
    return;
  }
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if (error.code !== 'EAGAIN') return; // a closed log is no reason to fail the function
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

function jsonLine(timestamp, level, values) {
  const result = { timestamp, level, requestId: nameRequest() };
  if (values.length === 1) {
    try {
      return JSON.stringify({ ...result, message: values[0] }, (_key, value) => (value instanceof Error ? fields(value) : value));
    } catch {
      return JSON.stringify({ ...result, message: format(values[0]) });
    }
  }
  const error = values.find((value) => value instanceof Error);
  return JSON.stringify({ ...result, message: format(...values), ...(error && fields(error)) });
}

function fields(error) {
  const errorType = error.constructor?.name || error.name || 'UnknownError';
  return { errorType, errorMessage: error.message, stackTrace: String(error.stack).split('\n'), ...error };
}
