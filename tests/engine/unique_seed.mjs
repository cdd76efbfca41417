// A function that draws from every generator that a Node program has, for `uniqueness.py`. Its initialisation draws, too:
// what a seed has drawn is what its clones could repeat. The event is how often to draw.
import crypto from "node:crypto";
import fs from "node:fs";
import { promisify } from "node:util";

const { random } = Math; // a reference that no later replacement reaches
const randomBytes = promisify(crypto.randomBytes);
const randomInt = promisify(crypto.randomInt);
const LIMIT = 2 ** 48 - 1;
let hooked = 0;
globalThis.awslambda.registerAfterRestore(async (limit) => {
  await null;
  hooked = Math.floor(Math.random() * limit);
}, LIMIT);

function directory() {
  const made = fs.mkdtempSync("/tmp/offshoot-unique-");
  fs.rmdirSync(made);
  return made;
}

const GENERATORS = {
  "Math.random": () => Math.random(),
  "Math.random kept": () => random(),
  "crypto.randomBytes": () => crypto.randomBytes(16).toString("hex"),
  "crypto.randomBytes in a thread": async () => (await randomBytes(16)).toString("hex"),
  "crypto.randomFillSync": () => crypto.randomFillSync(Buffer.alloc(16)).toString("hex"),
  "crypto.getRandomValues": () => Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
  "crypto.randomUUID": () => crypto.randomUUID(),
  "webcrypto.randomUUID": () => globalThis.crypto.randomUUID(),
  "crypto.randomInt": () => crypto.randomInt(LIMIT),
  "crypto.randomInt in a thread": () => randomInt(LIMIT),
  "EC key": () => crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "der" }).toString("hex"),
  "X25519 key": () => crypto.generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "der" }).toString("hex"),
  "webcrypto AES key": async () => {
    const key = await globalThis.crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    return Buffer.from(await globalThis.crypto.subtle.exportKey("raw", key)).toString("hex");
  },
  "fs.mkdtemp": directory,
  "a hook's number": () => (hooked += 1),
};

export async function draw(count) {
  const drawn = {};
  for (const [name, generator] of Object.entries(GENERATORS)) {
    drawn[name] = [];
    for (let at = 0; at < count; at += 1) drawn[name].push(await generator());
  }
  return drawn;
}

await draw(1);
