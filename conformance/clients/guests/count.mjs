// Loads the word counters named on the command line into one store, as Node's host of
// tools does it, and prints the answers of two rounds, one a line.
import { pathToFileURL } from "node:url";

const [root, ...files] = process.argv.slice(2);
const { open } = await import(pathToFileURL(`${root}/js/index.js`));
const { loadTool } = await import(pathToFileURL(`${root}/js/tools/index.js`));
const store = await open();
const policy = { state: [{ prefix: "count/", access: "read-write" }] };
const tools = await Promise.all(files.map((file) => loadTool(pathToFileURL(file), { store, policy })));
for (const tool of [...tools, ...tools]) {
  const { result } = await tool.call({ text: "one two\tthree\n", counter: "shared" });
  console.log(JSON.stringify(result));
}
for (const tool of tools) {
  const error = await tool.call({ text: "x", counter: "a/b" }).catch((error) => error);
  console.log(error.code, error.guestCode);
}
