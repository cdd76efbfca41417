// A function that serves requests: `node --expose-gc node_seed.cjs SOURCE SINK`, both being descriptors.
//
// A request is four bytes of length, little-endian, and JSON; so is an answer. The JSON text "settle" is no request: it asks
// to make the memory as still as it gets.
"use strict";
const net = require("node:net");

const [source, sink] = process.argv.slice(2).map(Number);
const requests = new net.Socket({ fd: source, readable: true, writable: source === sink });
const answers = source === sink ? requests : new net.Socket({ fd: sink, readable: false, writable: true });

function handler(event) {
  const totals = {};
  for (const order of event.orders) {
    const cents = order.lines.reduce((sum, line) => sum + line.cents * line.count, 0);
    totals[order.customer] = (totals[order.customer] ?? 0) + cents;
  }
  return { answer: totals, document: event };
}

function settle() {
  global.gc();
  return "settled";
}

function answer(event) {
  const body = Buffer.from(JSON.stringify(event === "settle" ? settle() : handler(event)));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  answers.write(Buffer.concat([head, body]));
}

let kept = Buffer.alloc(0);
requests.on("data", (bytes) => {
  kept = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
  while (kept.length >= 4 && kept.length >= 4 + kept.readUInt32LE()) {
    const end = 4 + kept.readUInt32LE();
    answer(JSON.parse(kept.subarray(4, end)));
    kept = kept.subarray(end);
  }
});
requests.on("end", () => process.exit(0));
requests.resume();
