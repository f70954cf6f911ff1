// The worker behind openWorker(): it opens the store that the first message asks for,
// and answers the calls of those that follow.
import { IngotError } from "./errors.js";
import { open } from "./index.js";
import { Host } from "./worker/host.js";
import { failureOf } from "./worker/wire.js";

const threads = globalThis.process?.getBuiltinModule?.("node:worker_threads");
const port = threads?.parentPort ?? globalThis;

const ME = "page"; // the one that asks, when nobody else does

let host = null;
let opened = null; // settles when the store is open, or cannot be

function answer(message, transfer) {
  port.postMessage(message, transfer);
}

async function begin({ id, calls: [[method, options]] }) {
  try {
    if (method !== "open") throw new IngotError("ERR_CLOSED", "the store is not open");
    host = await openHost(options);
    answer({ id, results: [undefined], failures: [] });
  } catch (error) {
    answer({ id, results: [undefined], failures: [[0, failureOf(error)]] });
  }
}

async function openHost(options) {
  return new Host(await open(options), options);
}

function received(message) {
  if (opened === null) {
    opened = begin(message);
    return;
  }
  opened.then(() => host?.run(ME, message, answer));
}

if (threads?.parentPort) port.on("message", received);
else port.onmessage = ({ data }) => received(data);
