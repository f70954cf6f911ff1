#!/usr/bin/env node
// An MCP server over standard input and output: a client starts it and has a memory.
//
//     node server.mjs [DIRECTORY]
//
// The state is kept in the directory; without one it ends with the server.
import { open } from "ingot-state";
import { serve, stdio } from "ingot-state/mcp";

const [dir] = process.argv.slice(2);
const store = await open(dir === undefined ? {} : { persist: "fs", dir });

const server = await serve(store, stdio(), {
  name: "js-mcp-server",
  version: "1.0.0",
  instructions: "A memory for notes: keys are paths such as notes/today.",
  onLog: ({ level, text }) => level !== "debug" && console.error(level, text), // standard output is the protocol's
});

// What has expired is freed now and then; reads never show it.
const sweep = setInterval(() => store.tick(), 60_000);
sweep.unref();

process.once("SIGTERM", () => server.close());
await server.done;
await store.close();
