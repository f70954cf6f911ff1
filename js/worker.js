// The worker behind openWorker(): it opens the store that the first message asks for,
// and answers the calls of those that follow.
import { defaultEngine } from "./default-engine.js";
import { IngotError } from "./errors.js";
import { openStore } from "./open.js"; // not index.js, which starts this worker: bundlers dislike the circle
import { checkedOptions } from "./persist/open.js";
import { Host } from "./worker/host.js";
import { Member } from "./worker/shared.js";
import { failureOf } from "./worker/wire.js";

const threads = globalThis.process?.getBuiltinModule?.("node:worker_threads");
const port = threads?.parentPort ?? globalThis;

const SHARED = new Set(["opfs", "idb"]);
const PAGE = "page"; // who asks, where nobody else can

let opened = null; // settles with what runs calls
const answer = (message, transfer) => port.postMessage(message, transfer);

async function begin([[method, options]]) {
  if (method !== "open") throw new IngotError("ERR_CLOSED", "the store is not open");
  if (!SHARED.has(options.persist) || globalThis.navigator?.locks === undefined || threads?.parentPort) {
    const host = new Host(await openStore(options, defaultEngine), options);
    return { run: (message) => host.run(PAGE, message, answer), close: () => host.close() };
  }
  const member = new Member({ ...options, ...checkedOptions(options) }, answer);
  try {
    await member.opened;
  } catch (error) {
    await member.close();
    throw error;
  }
  return member;
}

// answered answers a message of one call with what a promise comes to.
async function answered(id, promise) {
  try {
    await promise;
    answer({ id, results: [undefined], failures: [] });
  } catch (error) {
    answer({ id, results: [undefined], failures: [[0, failureOf(error)]] });
  }
}

function received(message) {
  const { id, calls } = message;
  if (opened === null) {
    opened = begin(calls);
    answered(id, opened);
  } else if (calls[0][0] === "close") {
    answered(id, opened.then((runner) => runner.close()));
  } else {
    opened.then((runner) => runner.run(message), () => {}); // the page knows that it is not open
  }
}

if (threads?.parentPort) port.on("message", received);
else port.onmessage = ({ data }) => received(data);
