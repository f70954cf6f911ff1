// A worker that has a store and serves it to the page that made it, until that says "close".
import { open } from "/js/index.js";
import { serve } from "/js/mcp/index.js";

const server = await serve(await open(), self);
self.addEventListener("message", async ({ data }) => {
  if (data !== "close") return;
  await server.close();
  self.postMessage("closed, and here");
});
self.postMessage("ready");
