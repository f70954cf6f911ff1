import { IngotError } from "../errors.js";

// Of worker threads in Node; browsers know no such thing.
const threads = globalThis.process?.getBuiltinModule?.("node:worker_threads");

/** startWorker starts the worker that ../worker.js is, and evens out the platforms. */
export function startWorker() {
  return threads === undefined ? startWebWorker() : startThread();
}

const gone = (what) => new IngotError("ERR_WORKER", `the store's worker has ended: ${what}`);

function startThread() {
  // A worker has the process's flags, but what belongs to the text of --eval is refused
  // for a file.
  const options = process.execArgv.some((flag) => flag.startsWith("--input-type")) ? { execArgv: [] } : {};
  const worker = new threads.Worker(new URL("../worker.js", import.meta.url), options);
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    listen(answered, ended) {
      worker.on("message", answered);
      worker.on("error", (error) => ended(gone(error.message)));
      worker.on("exit", (status) => ended(gone(`exit status ${status}`)));
    },
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    end: () => void worker.terminate(),
  };
}

function startWebWorker() {
  if (typeof Worker === "undefined") throw new IngotError("ERR_PERSIST_UNSUPPORTED", "there are no workers here: use open()");
  const worker = new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
  return {
    post: (message) => worker.postMessage(message),
    listen(answered, ended) {
      worker.onmessage = ({ data }) => answered(data);
      worker.onerror = (event) => ended(gone(event.message ?? "its script cannot be loaded"));
      worker.onmessageerror = () => ended(gone("an answer cannot be read"));
    },
    ref() {},
    unref() {},
    end: () => worker.terminate(),
  };
}
