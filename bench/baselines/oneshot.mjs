// Calls a handler once: event from standard input, response as one line to standard output.
//
// Usage: oneshot.mjs FOLDER HANDLER. What the handler prints goes to standard error.

import { readFileSync, writeSync } from 'node:fs';
import { load } from './load.mjs';

const [folder, name] = process.argv.slice(2);
console.log = console.error;
const handler = await load(folder, name);
const context = { awsRequestId: 'baseline', functionName: 'baseline', memoryLimitInMB: '128' };
const line = Buffer.from(`${JSON.stringify(await handler(JSON.parse(readFileSync(0, 'utf8')), context))}\n`);
for (let at = 0; at < line.length; ) at += writeSync(1, line, at);
