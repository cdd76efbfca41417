// Variables that clones are given and this process is not: it becomes their seed, and its memory an image.
//
// User code that asks for one now would go on without it, in every clone. So it ends here, and its function starts cold.
// `docs/design/secrets.md` has the reasons; imported only where something is withheld.

import { syncBuiltinESMExports } from 'node:module';
import { INIT_ERROR, send } from './channel.mjs';

const KIND = 'Runtime.SecretWithheld';

/**
 * From here on user code cannot ask for the variables that `OFFSHOOT_WITHHELD` names; returns how to end that. Their names
 * are there, as they are for a process that has them; nobody gets as far as their values.
 */
export function withhold() {
  const real = process.env;
  const names = new Set(real.OFFSHOOT_WITHHELD.split(','));
  delete real.OFFSHOOT_WITHHELD;
  const lacks = (name) => names.has(name) && !Object.hasOwn(real, name);
  const tooEarly = (name) => {
    send(INIT_ERROR, JSON.stringify({ errorType: KIND, errorMessage: name, trace: [] }));
    process.exit(1);
  };
  // Code that has taken it from here keeps it: without names it is as good as the real one.
  const guarded = new Proxy(real, {
    get: (_, name) => (lacks(name) ? tooEarly(name) : real[name]),
    set: (_, name, value) => Reflect.set(real, name, value),
    defineProperty: (_, name, descriptor) => Reflect.defineProperty(real, name, descriptor),
    has: (_, name) => lacks(name) || name in real,
    ownKeys: () => [...Reflect.ownKeys(real), ...[...names].filter(lacks)],
    getOwnPropertyDescriptor: (_, name) =>
      lacks(name)
        ? { get: () => tooEarly(name), enumerable: true, configurable: true }
        : Reflect.getOwnPropertyDescriptor(real, name),
    deleteProperty: (_, name) => (lacks(name) ? tooEarly(name) : delete real[name]),
  });
  replace(guarded);
  return (env) => {
    const mine = [...names].filter((name) => !lacks(name));
    names.clear();
    replace(real);
    return Object.fromEntries(Object.entries(env).filter(([name]) => !mine.includes(name)));
  };
}

function replace(env) {
  process.env = env;
  syncBuiltinESMExports(); // for `import { env } from 'node:process'`
}
