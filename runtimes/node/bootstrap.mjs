// Runs one Lambda function in Node: loads `_HANDLER`, then answers invocations from the channel.
//
// Behaviour follows the Node.js runtime of AWS Lambda ("Building Lambda functions with Node.js" in the AWS Lambda
// Developer Guide). One invocation is in hand at a time:
//
//   next ──INVOKE──> handler runs, event loop turns ──answer──> one more turn of the loop ──> next (blocks)
//
// unless the function is configured for more: then the first numbered event has the event loop read the channel (`crowd.mjs`).
//
// `callbackWaitsForEmptyEventLoop` needs to see the loop run empty, which Node tells by `beforeExit`; nothing of the
// bootstrap keeps the loop alive while a handler runs.

import {
  BOOTED, COLLECT, COLLECTED, ERROR, FREEZE, FROZEN, INIT_ERROR, INVOKE, READY, RESPONSE, STREAM_END, STREAM_ERROR, receive,
  refuse, rehearse, send,
} from './channel.mjs';
import { collectForTraining, freeze, releaseWith, resume } from './clone.mjs';
import { logError, nameRequestsBy, patchConsole, readLogSettings, setRequestId, whenFlushed } from './console.mjs';
import { NodeJsExit, InvalidStreamingOperation, UnhandledPromiseRejection, toAnswer } from './faults.mjs';
import { loadHandler, prepareGlobals } from './loader.mjs';
import { replaceRandom } from './random.mjs';

// Reading the environment is slow in Node, and this changes in clones only.
const ENVIRONMENT = {};
function readEnvironment() {
  ENVIRONMENT.functionVersion = process.env.AWS_LAMBDA_FUNCTION_VERSION;
  ENVIRONMENT.functionName = process.env.AWS_LAMBDA_FUNCTION_NAME;
  ENVIRONMENT.memoryLimitInMB = process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
  ENVIRONMENT.logGroupName = process.env.AWS_LAMBDA_LOG_GROUP_NAME;
  ENVIRONMENT.logStreamName = process.env.AWS_LAMBDA_LOG_STREAM_NAME;
}
const NEVER_SETTLED = 'The event loop ran empty before the handler answered: a promise was never settled.';
const HOOK_NEVER_SETTLED = 'The event loop ran empty before a hook was done: a promise was never settled.';

let handler;
let ResponseStream;
let crowd; // for several invocations at once
let invocation; // the running one, or the last
let traceId;

class Invocation {
  answered = false;
  /** Runs once when the event loop is empty. */
  onIdle = undefined;
  /** The response stream of a streaming handler. */
  stream = undefined;

  /** Sends a frame, and calls `done` when the next may come. */
  post(kind, body, meta, done) {
    send(kind, body, meta);
    done?.();
  }

  /** What comes after its answer. */
  goOn() {
    setImmediate(next);
  }

  /** Sends the answer after everything printed, and goes on to the next invocation unless `then` says otherwise. */
  answer(kind, body, meta, then = () => this.goOn()) {
    if (this.answered) return;
    this.answered = true;
    this.onIdle = undefined;
    whenFlushed(() => {
      this.post(kind, body, meta);
      then();
    });
  }

  succeed(result) {
    let text;
    try {
      text = JSON.stringify(result) ?? 'null';
    } catch {
      this.fail(new Error('Unable to stringify response body'));
      return;
    }
    this.answer(RESPONSE, text);
  }

  fail(error, title = 'Invoke Error', then = undefined) {
    if (!this.answered) logError(title, error);
    const fault = toAnswer(error);
    if (this.stream?.begun) this.answer(STREAM_ERROR, JSON.stringify(fault), JSON.stringify({ errorType: fault.errorType }), then);
    else this.answer(ERROR, JSON.stringify(fault), '', then);
    this.stream?.destroy();
  }
}

/** One of several invocations that are in hand at once. Nobody sees the loop run empty for it. */
class Guest extends Invocation {
  constructor(event, requestId) {
    super();
    this.event = event;
    this.requestId = requestId;
  }

  post(kind, body, meta, done) {
    crowd.post(this.event, kind, body, meta, done);
  }

  goOn() {}
}

/** An event that nobody has sent. */
class Rehearsal extends Invocation {
  constructor(done) {
    super();
    this.done = done;
  }

  answer(kind, body, meta) {
    super.answer(kind, body, meta, this.done);
  }
}

/** Hooks of a seed or clone while they run. One that fails ends the process with `status`. */
class HookRun extends Invocation {
  constructor(errorType, status) {
    super();
    this.errorType = errorType;
    this.status = status;
    this.onIdle = () => this.fail(new NodeJsExit(HOOK_NEVER_SETTLED));
  }

  fail(error) {
    if (this.answered) return;
    logError(this.errorType, error);
    const meta = JSON.stringify({ errorType: this.errorType });
    this.answer(INIT_ERROR, JSON.stringify(toAnswer(error)), meta, () => process.exit(this.status));
  }

  /** The hooks are done. */
  end() {
    this.answered = true;
    this.onIdle = undefined;
  }
}

/** Waits for a frame and does what it asks. */
function next() {
  const { kind, event, meta: metaText, body } = receive();
  if (kind === INVOKE) {
    if (handler === undefined) process.exit(1); // it was promised a function first
    if (event === 0) invoke(JSON.parse(metaText), body);
    else beginCrowd(event, metaText, body);
  }
  else if (kind === FREEZE) prepare(() => freeze(rehearseEvents), FROZEN);
  else if (kind === COLLECT) prepare(collectForTraining, COLLECTED);
  else becomeClone(JSON.parse(metaText).env);
}

/** Does what a process needs that is to be frozen, and says that it is done. */
async function prepare(work, done) {
  const run = new HookRun('Runtime.BeforeSnapshotError', 64);
  invocation = run;
  setRequestId(undefined);
  try {
    await work();
  } catch (error) {
    run.fail(error);
    return;
  }
  if (!run.answered) run.answer(done);
}

const REHEARSALS = 8;

/** Answers events of its own: what V8 compiles at its first use is compiled then, and no clone has it for itself. */
function rehearseEvents() {
  const [own, last] = [handler, invocation];
  handler = { run: async (event) => event, streaming: false, isAsync: true };
  const rehearsal = async (event) => {
    for (let time = 0; time < REHEARSALS; time += 1) {
      event('{"requestId":"rehearsal","deadlineMs":0}', '{"a":[1,"b"]}');
      const { meta, body } = receive();
      await new Promise((done) => invoke(JSON.parse(meta), body, new Rehearsal(done)));
    }
  };
  return rehearse(rehearsal).finally(() => {
    [handler, invocation] = [own, last];
    setRequestId(undefined);
  });
}

/** No event is delivered to a clone before all this is done; without hooks of user code it is done at once. */
function becomeClone(env) {
  const run = new HookRun('Runtime.AfterRestoreError', 65);
  invocation = run;
  setRequestId(undefined);
  const done = () => {
    if (run.answered) return;
    run.end();
    if (handler === undefined) meetFunction();
    else next();
  };
  try {
    const hooks = resume(env);
    readEnvironment();
    if (hooks === undefined) done();
    else hooks.then(() => setImmediate(done), (error) => run.fail(error));
  } catch (error) {
    run.fail(error);
  }
}

/** The first of several events has come. */
function beginCrowd(event, metaText, body) {
  if (crowd === undefined) refuse(`event ${event} of a runtime that has one at a time`);
  nameRequestsBy(() => crowd.current()?.requestId);
  crowd.open(welcome, event, metaText, body);
}

function welcome(event, metaText, body) {
  const meta = JSON.parse(metaText);
  const call = new Guest(event, meta.requestId);
  crowd.runIn(call, () => run(call, meta, body));
}

function invoke(meta, body, call = new Invocation()) {
  invocation = call;
  setRequestId(meta.requestId);
  if (meta.traceId !== traceId) setTraceId(meta.traceId);
  run(call, meta, body);
}

function run(call, meta, body) {
  if (handler.streaming) runStreaming(call, meta, body);
  else runBuffered(call, meta, body);
}

function setTraceId(value) {
  traceId = value;
  if (value === undefined) delete process.env._X_AMZN_TRACE_ID;
  else process.env._X_AMZN_TRACE_ID = value;
}

function runBuffered(call, meta, body) {
  let finished = false;
  // Of callback, done, succeed, fail and the returned promise, the first call counts.
  const once = (act) => (first, second) => {
    if (finished) return;
    finished = true;
    act(first, second);
  };
  const succeed = (result) => call.succeed(result);
  const fail = (error) => call.fail(error ?? 'handled');
  const done = (error, result) => (error === undefined || error === null ? succeed(result) : fail(error));
  const methods = { succeed: once(succeed), fail: once(fail), done: once(done) };
  let context;
  const callback = once((error, result) => {
    if (error !== undefined && error !== null) fail(error);
    else if (context?.callbackWaitsForEmptyEventLoop && !(call instanceof Guest)) call.onIdle = () => succeed(result);
    else succeed(result);
  });
  call.onIdle = () => {
    finished = true;
    if (handler.isAsync) call.fail(new NodeJsExit(NEVER_SETTLED));
    else call.succeed(null); // a handler that forgot its callback
  };
  try {
    context = buildContext(meta, methods);
    const { run } = handler;
    const result = run(parseEvent(body), context, callback);
    if (typeof result?.then === 'function') result.then(methods.succeed, methods.fail);
  } catch (error) {
    methods.fail(error);
  }
}

async function runStreaming(call, meta, body) {
  const stream = new ResponseStream((...frame) => call.post(...frame), handler.highWaterMark);
  call.stream = stream;
  call.onIdle = () => call.fail(new InvalidStreamingOperation('Response stream is not finished.'));
  const finished = new Promise((resolve, reject) => stream.once('finish', resolve).on('error', reject));
  finished.catch(() => {}); // reported below, when the handler is done
  try {
    const { run } = handler;
    const result = run(parseEvent(body), stream, buildContext(meta, {}));
    if (typeof result?.then !== 'function') {
      throw new InvalidStreamingOperation('Streaming does not support non-async handlers.');
    }
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    await finished;
    call.answer(STREAM_END);
  } catch (error) {
    call.fail(error);
  }
}

function buildContext(meta, methods) {
  const { deadlineMs } = meta;
  return {
    callbackWaitsForEmptyEventLoop: true,
    ...methods,
    ...ENVIRONMENT,
    clientContext: parseContext(meta.clientContext, 'ClientContext'),
    identity: parseContext(meta.cognitoIdentity, 'CognitoIdentity'),
    invokedFunctionArn: meta.arn,
    awsRequestId: meta.requestId,
    tenantId: meta.tenantId,
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
}

function parseContext(text, name) {
  if (text === undefined || text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

function parseEvent(body) {
  return body === '' ? {} : JSON.parse(body);
}

/** Reports an error that no handler caught, and ends the process: its state is unknown now. */
function die(title, error, status) {
  const crowded = crowd?.isOpen() === true;
  const exit = () => (crowded ? crowd.whenSent(() => process.exit(status)) : process.exit(status));
  const call = crowded ? crowd.current() : invocation;
  if (call === undefined && !crowded) {
    logError(title, error);
    whenFlushed(() => {
      send(INIT_ERROR, JSON.stringify(toAnswer(error)));
      process.exit(1);
    });
  } else if (call === undefined || call.answered) {
    logError(title, error);
    whenFlushed(exit);
  } else {
    call.fail(error, title, exit);
  }
}

/** A clone of the runtime's seed has been told its function. */
function meetFunction() {
  invocation = undefined; // what fails now is init
  readLogSettings();
  initialise();
}

async function initialise() {
  try {
    if (process.env.OFFSHOOT_WITHHELD !== undefined) releaseWith((await import('./secrets.mjs')).withhold());
    handler = await loadHandler(taskRoot(), process.env._HANDLER);
    if (process.env.AWS_LAMBDA_MAX_CONCURRENCY !== undefined) crowd = await import('./crowd.mjs');
    if (handler.streaming) ({ ResponseStream } = await import('./streaming.mjs'));
  } catch (error) {
    die('Uncaught Exception', error, 1);
    return;
  }
  // One turn of the loop later, so that a promise rejected by the load is found before the runtime calls itself ready.
  setImmediate(() =>
    whenFlushed(() => {
      send(READY);
      next();
    }),
  );
}

function taskRoot() {
  return process.env.LAMBDA_TASK_ROOT ?? '/var/task';
}

async function main() {
  patchConsole();
  process.on('uncaughtException', (error) => die('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) =>
    die('Unhandled Promise Rejection', new UnhandledPromiseRejection(reason, promise), 128),
  );
  process.on('beforeExit', () => {
    const idle = invocation?.onIdle;
    if (idle === undefined) return;
    invocation.onIdle = undefined;
    idle();
  });
  try {
    readEnvironment();
    replaceRandom();
    prepareGlobals(taskRoot());
    // Without a function it is the seed of the runtime, or becomes it; in its clones `RESUME` brings one.
    const isSeed = process.env._HANDLER === undefined;
    if (isSeed) {
      await (await import('./common.mjs')).loadCommon();
      await rehearseEvents();
    }
    send(BOOTED);
    if (isSeed) next();
    else await initialise();
  } catch (error) {
    die('Uncaught Exception', error, 1);
  }
}

await main();
