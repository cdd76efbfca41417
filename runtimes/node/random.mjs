// `Math.random` as a generator that can be seeded: V8 keeps the state of its own out of reach, so that all clones of a
// process would draw the same numbers. It takes V8's place before user code is loaded, which may keep a reference.
//
// The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, of which 96 are seeded.

import { closeSync, openSync, readSync } from 'node:fs';

const ROUNDS = 12; // after which the state depends on every bit of the seed
const state = new Int32Array(4);
const seed = new Uint8Array(state.buffer, 0, 12);

function next() {
  const sum = (state[0] + state[1] + state[3]) | 0;
  state[3] += 1;
  state[0] = state[1] ^ (state[1] >>> 9);
  state[1] = (state[2] + (state[2] << 3)) | 0;
  state[2] = ((state[2] << 21) | (state[2] >>> 11)) + sum;
  return sum;
}

function mix() {
  state[3] = 1;
  for (let round = 0; round < ROUNDS; round += 1) next();
}

/** Replaces `Math.random`; its first seed is V8's. */
export function replaceRandom() {
  for (let at = 0; at < 3; at += 1) state[at] = Math.random() * 2 ** 32;
  mix();
  Math.random = function random() {
    return ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992; // 27 and 26 of 53 bits
  };
}

/** Seeds `Math.random` from the kernel. */
export function reseedRandom() {
  const source = openSync('/dev/urandom');
  const count = readSync(source, seed);
  closeSync(source);
  if (count !== seed.length) throw new Error('/dev/urandom gives too few bytes');
  mix();
}
