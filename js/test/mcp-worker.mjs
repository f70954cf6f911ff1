// A worker that has a store and serves it to who made the worker.
import { parentPort } from "node:worker_threads";
import { open } from "../index.js";
import { serve } from "../mcp/index.js";

await serve(await open(), parentPort, { name: "worker" });
parentPort.postMessage("ready");
