// A Node that has a large table and an event loop at rest; soak.py clones it. Each line of descriptor 3 is a request,
// each line on descriptor 4 its answer. Needs --expose-gc.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const readline = require("node:readline");
const timers = require("node:timers/promises");
const zlib = require("node:zlib");

const table = new Map();
for (let number = 0; number < 50_000; number++) table.set(`key ${number}`, [number, { square: number * number }]);

// Some megabytes come and go: young and old objects, cycles, buffers outside of the heap, work for the pool of threads.
async function churn(amount) {
  for (let index = 0; index < amount; index++) {
    const first = { load: new Array(100).fill(index) };
    first.other = { other: first };
  }
  const pieces = [];
  for (let size = 1; size < 200_000; size += 1000) pieces.push(Buffer.alloc(size, 7));
  const packed = await new Promise((resolve, reject) =>
    zlib.deflate(Buffer.alloc(1 << 20, amount & 255), (error, result) => (error ? reject(error) : resolve(result))));
  if (zlib.inflateSync(packed).length !== 1 << 20) throw new Error("zlib");
  pieces.length = 0;
  global.gc();
  await timers.setTimeout(1);
}

async function answer(request) {
  await churn(request.churn);
  const values = request.keys.map((key) => table.get(`key ${key}`));
  return {
    id: request.id,
    total: values.reduce((total, [number]) => total + number, 0),
    squares: values.map(([, rest]) => rest.square),
    words: request.text.split(" ").sort(),
    digest: crypto.createHash("sha256").update(request.text).digest("hex"),
  };
}

async function serve() {
  const requests = readline.createInterface({ input: fs.createReadStream(null, { fd: 3, autoClose: false }) });
  for await (const line of requests) fs.writeSync(4, JSON.stringify(await answer(JSON.parse(line))) + "\n");
  process.exit(0);
}

churn(1000).then(() => {
  // Frozen here: the loop waits, and a thread of the pool reads.
  fs.read(0, Buffer.alloc(1), 0, 1, null, () => serve());
  setTimeout(() => fs.writeSync(1, "ready\n"), 100);
});
