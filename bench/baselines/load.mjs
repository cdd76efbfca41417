// Finds a handler such as `index.handler` in a folder.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export async function load(folder, name) {
  const dot = name.lastIndexOf('.');
  const stem = join(folder, name.slice(0, dot));
  const file = ['.mjs', '.js', '.cjs'].map((ending) => stem + ending).find(existsSync);
  if (!file) throw new Error(`no module ${stem}`);
  const module = await import(pathToFileURL(file).href);
  return module[name.slice(dot + 1)] ?? module.default[name.slice(dot + 1)];
}
