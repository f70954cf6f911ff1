// What the types of ingot-state/mcp accept and refuse. tsc checks it, nothing runs it:
// a line under @ts-expect-error has to be wrong.
import { open, openWorker } from "ingot-state";
import { inMemoryPair, registerWebMCP, serve, stdio, windowMessages, type Connection, type Server, type Transport } from "ingot-state/mcp";

const store = await open();
const server: Server = await serve(store, stdio(), { name: "n", version: "1", prefix: "a/", readOnly: true, maxInFlight: 8, onLog: ({ level, text }) => void (level + text) });
const connection: Connection = await server.connect(new MessageChannel().port1);
const over: void = await connection.closed;
const all: readonly Connection[] = server.connections;
await server.connect(new Worker("worker.js"));
await server.connect(windowMessages(window.parent, { origin: "https://example.org" }));
const [near, far] = inMemoryPair();
await server.connect(far);
near.onmessage = (message) => void message.id;
await near.send({ jsonrpc: "2.0", id: 1, method: "ping" });
await serve(store);
await serve(store, undefined, {});

// A transport of one's own, as the SDK has them.
class Own {
  onmessage?: (message: { jsonrpc: "2.0" }) => void;
  async start() {}
  async send(message: { jsonrpc: "2.0" }) {
    void message;
  }
  async close() {}
}
const own: Transport = new Own();
await server.connect(own);

const registration = await registerWebMCP(store, { prefix: "a/", signal: new AbortController().signal });
const names: string[] | undefined = registration?.tools;
await registration?.close();
void [over, all, names];

// @ts-expect-error: a port or a transport, not text
await serve(store, "stdio");
// @ts-expect-error: a misspelt option
await serve(store, stdio(), { readonly: true });
// @ts-expect-error: the store of a worker is not here
await serve(await openWorker(), stdio());
// @ts-expect-error: the origin is missing
windowMessages(window.parent, {});
// @ts-expect-error: the registration may be undefined
registration.tools;
// @ts-expect-error: serve makes servers
new Server();
// @ts-expect-error: done is not to be set
server.done = Promise.resolve();
