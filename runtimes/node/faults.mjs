// Errors that the runtime itself raises, and the two shapes in which any error leaves: as an answer and as a log line.

/** Errors of the runtime; `name` becomes `errorType`. */
function faultClass(kind) {
  const fault = class extends Error {};
  fault.prototype.name = `Runtime.${kind}`;
  return fault;
}

export const ImportModuleError = faultClass('ImportModuleError');
export const HandlerNotFound = faultClass('HandlerNotFound');
export const MalformedHandlerName = faultClass('MalformedHandlerName');
export const UserCodeSyntaxError = faultClass('UserCodeSyntaxError');
export const MalformedStreamingHandler = faultClass('MalformedStreamingHandler');
export const InvalidStreamingOperation = faultClass('InvalidStreamingOperation');
export const NodeJsExit = faultClass('NodeJsExit');

export class UnhandledPromiseRejection extends faultClass('UnhandledPromiseRejection') {
  constructor(reason, promise) {
    super(textOf(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

/** The error object of an answer: `{ errorType, errorMessage, trace }`, as Lambda's Node runtime has it. */
export function toAnswer(error) {
  try {
    if (error instanceof Error || looksLikeError(error)) {
      return { errorType: String(error.name), errorMessage: String(error.message), trace: String(error.stack).split('\n') };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

/** One line for the log: the error as JSON with its hidden properties, after a tab. */
export function toLogText(error) {
  try {
    return `\t${JSON.stringify(error, (_key, value) => withHiddenProperties(value))}`;
  } catch {
    return `\t${JSON.stringify(toAnswer(error))}`;
  }
}

/** `error` itself, or an Error around what was thrown instead of one. */
export function asError(error) {
  return error instanceof Error ? error : new Error(textOf(error));
}

function looksLikeError(value) {
  // Errors of another realm (`vm`, worker threads) are no instances of our Error.
  return ['name', 'message', 'stack'].every((key) => typeof value?.[key] === 'string' && value[key] !== '');
}

function withHiddenProperties(value) {
  if (!(value instanceof Error)) return value;
  const visible = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
  if (typeof value.stack === 'string') visible.stack = value.stack.split('\n');
  return visible;
}

function textOf(value) {
  try {
    return String(value);
  } catch {
    return 'a value that cannot be shown';
  }
}
