// Finds the function that `_HANDLER` names, by the rules of Lambda's Node runtime.

import { existsSync, readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { registerAfterRestore, registerBeforeSnapshot } from './clone.mjs';
import { HandlerNotFound, ImportModuleError, MalformedHandlerName, UserCodeSyntaxError } from './faults.mjs';

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const HTTP_INTEGRATION = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = new Uint8Array(8); // NUL bytes, which JSON text cannot hold
const LAYER_PATHS = ['/opt/nodejs/node20/node_modules', '/opt/nodejs/node_modules'];

const require = createRequire(import.meta.url);

/** Makes `awslambda` and the module path that user code expects. */
export function prepareGlobals(taskRoot) {
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      return handler;
    },
    registerBeforeSnapshot,
    registerAfterRestore,
    HttpResponseStream: {
      /** Puts status and headers in front of the body that is written to `stream`. */
      from(stream, prelude) {
        stream.setContentType(HTTP_INTEGRATION);
        const text = JSON.stringify(prelude);
        stream._onBeforeFirstWrite = (write) => {
          write(text);
          write(PRELUDE_END);
        };
        return stream;
      },
    },
  };
  if (process.env.NODE_PATH === undefined) {
    process.env.NODE_PATH = [...LAYER_PATHS, taskRoot].join(':');
    Module._initPaths(); // Node reads NODE_PATH at its start only
  }
}

/** `{ run, streaming, highWaterMark, isAsync }` of the handler called `name`, such as `folder/file.export.nested`. */
export async function loadHandler(taskRoot, name) {
  if (name.includes('..')) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const file = basename(name);
  const folder = name.slice(0, name.length - file.length);
  const dot = file.indexOf('.');
  if (dot < 0) throw new MalformedHandlerName('Bad handler');
  const app = await loadModule(resolve(taskRoot, folder, file.slice(0, dot)), taskRoot, folder, file.slice(0, dot));
  const run = file
    .slice(dot + 1)
    .split('.')
    .reduce((value, key) => value?.[key], app);
  if (!run) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof run !== 'function') throw new HandlerNotFound(`${name} is not a function`);
  return {
    run,
    streaming: run[STREAMING] === 'response',
    highWaterMark: run[HIGH_WATER_MARK],
    isAsync: run.constructor?.name === 'AsyncFunction',
  };
}

async function loadModule(path, taskRoot, folder, name) {
  try {
    const found = await loadFile(path);
    return found ?? require(require.resolve(name, { paths: [taskRoot, resolve(taskRoot, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === 'MODULE_NOT_FOUND') throw new ImportModuleError(error);
    throw error;
  }
}

async function loadFile(path) {
  if (existsSync(path)) return require(path);
  const js = `${path}.js`;
  if (existsSync(js)) return isModulePackage(dirname(path)) ? importFile(js) : require(js);
  if (existsSync(`${path}.mjs`)) return importFile(`${path}.mjs`);
  if (existsSync(`${path}.cjs`)) return require(`${path}.cjs`);
  return undefined;
}

function importFile(path) {
  return import(pathToFileURL(path).href);
}

/** Whether the nearest package.json at or above `folder` says `"type": "module"`. */
function isModulePackage(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const manifest = join(folder, 'package.json');
  if (existsSync(manifest)) {
    try {
      return JSON.parse(readFileSync(manifest, 'utf8'))?.type === 'module';
    } catch (error) {
      console.warn(`${manifest} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder === '/' ? false : isModulePackage(dirname(folder));
}
