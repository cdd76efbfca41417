// The seed of the runtime loads what many functions use, so that its clones need not. Nothing here keeps random bytes or
// sessions, which each clone would have to renew.

import { createRequire } from 'node:module';

const COMMON = ['assert', 'async_hooks', 'buffer', 'events', 'fs', 'fs/promises', 'os', 'path', 'querystring', 'stream',
  'stream/promises', 'string_decoder', 'timers', 'timers/promises', 'url', 'util', 'zlib'];
const MODULE_OF_NOTHING = 'data:text/javascript,export default 0';

/** Loads common modules, and both ways in which user code is loaded. */
export async function loadCommon() {
  const require = createRequire(import.meta.url);
  for (const name of COMMON) require(`node:${name}`);
  await import(MODULE_OF_NOTHING);
  await import('./streaming.mjs');
}
