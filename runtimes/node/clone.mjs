// Before a process is frozen, and after it has become a clone; `docs/design/uniqueness.md` is the contract.

import { readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { reseedRandom } from './random.mjs';

const UUID_CACHE = 128; // `crypto.randomUUID` draws so many at once
const INT_CACHE = 1024; // `crypto.randomInt` likewise
const RANDOM_BYTES = 'RANDOMBYTESREQUEST'; // how Node calls a filling of these caches
const QUIET_TURNS = 4;
const REHEARSALS = 3; // so that what a clone runs is compiled

const require = createRequire(import.meta.url);
const beforeSnapshot = [];
const afterRestore = [];

/** Registers a function to be called before a snapshot; those registered last come first. It may return a promise. */
export function registerBeforeSnapshot(hook, ...values) {
  beforeSnapshot.push(() => hook(...values));
  return hook;
}

/** Registers a function to be called in each clone before its first event; those registered first come first. */
export function registerAfterRestore(hook, ...values) {
  afterRestore.push(() => hook(...values));
  return hook;
}

/** Runs the hooks before a snapshot, rehearses events, empties what holds random bytes and sessions, and lets the heap settle. */
export async function freeze(rehearseEvents) {
  for (const hook of beforeSnapshot.toReversed()) await hook();
  if (isLoaded('internal/crypto/random')) drainCrypto();
  if (isLoaded('https')) dropSessions();
  await rehearseEvents();
  for (let time = 0; time < REHEARSALS; time += 1) renew();
  // What is old was collected, and what is compiled since was compiled for what is there now.
  await quieten(trained ? { type: 'minor' } : undefined);
  trained = false;
}

let trained = false;

/** Collects garbage before the last events of a training, so that `freeze` need not: that drops code that was compiled. */
export async function collectForTraining() {
  await quieten();
  trained = true;
}

async function quieten(what) {
  const collect = collector();
  for (let turn = 0; turn < QUIET_TURNS; turn += 1) {
    collect(what);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

let release = (env) => env;

/** Has the next clone's environment pass through `released`, once. */
export function releaseWith(released) {
  release = released;
}

/** Makes this clone unlike its siblings. A promise if user code has hooks, otherwise nothing to wait for. */
export function resume(given) {
  const env = release(given);
  release = (same) => same;
  for (const name in env) {
    if (env[name] === null) delete process.env[name];
    else process.env[name] = env[name];
  }
  renew();
  return afterRestore.length === 0 ? undefined : runAfterRestore();
}

function renew() {
  reseedRandom();
  // Node reads it at its start only, and programs make names of it.
  Object.defineProperty(process, 'pid', { value: Number(readlinkSync('/proc/self')) });
}

async function runAfterRestore() {
  for (const hook of afterRestore) await hook();
}

function isLoaded(name) {
  return process.moduleLoadList.includes(`NativeModule ${name}`);
}

/** Leaves both caches of `node:crypto` empty, so that the next draw asks OpenSSL, which notices the new process id. */
function drainCrypto() {
  const { randomInt, randomUUID } = require('node:crypto');
  drain(UUID_CACHE, () => randomUUID());
  drain(INT_CACHE, () => randomInt(1)); // it takes any 48 bits but one: a draw that is rejected takes two places
}

/** Draws until the cache is filled, and then all that is in it. */
function drain(size, draw) {
  let filled = false;
  const watch = require('node:async_hooks').createHook({
    init(_id, type) {
      filled ||= type === RANDOM_BYTES;
    },
  });
  watch.enable();
  for (let at = 0; at <= size && !filled; at += 1) draw();
  watch.disable();
  if (!filled) throw new Error(`a cache of node:crypto is not filled within ${size} draws`);
  for (let at = 1; at < size; at += 1) draw();
}

/** Forgets the tickets with which clones would resume one TLS session. */
function dropSessions() {
  const { globalAgent } = require('node:https');
  globalAgent.destroy();
  for (const key of [...(globalAgent._sessionCache?.list ?? [])]) globalAgent._evictSession(key);
}

/** V8's own `gc`, which a flag shows to contexts made while it is set. */
function collector() {
  const v8 = require('node:v8');
  v8.setFlagsFromString('--expose-gc');
  const collect = require('node:vm').runInNewContext('gc');
  v8.setFlagsFromString('--no-expose-gc');
  return collect;
}
