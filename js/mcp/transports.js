import { IngotError, typeError } from "../errors.js";
import { refuseUnknown } from "../options.js";

const decoder = new TextDecoder();
const LINE_BREAK = 10;
const RETURN = 13;

/**
 * Channel is how this package's own transports look to a Connection:
 * start(sink) begins, and sink takes frames; send(frames) takes all of them, and
 * returns a promise where it has no room for more until that resolves; pause() and
 * resume() are about reading; close() lets go.
 */
export class Channel {}

/** channelOf is the channel of anything that serve takes for a transport. */
export function channelOf(transport) {
  if (transport instanceof Channel) return transport;
  if (typeof transport !== "object" && typeof transport !== "function" || transport === null) throw unsuitable(transport);
  if (isWindow(transport)) {
    throw new IngotError("ERR_OPTIONS", "a window is no transport: say whose messages are taken by windowMessages(window, { origin })");
  }
  if (typeof transport.start === "function" && typeof transport.send === "function") return new SdkChannel(transport);
  if (typeof transport.postMessage === "function") return new PortChannel(transport);
  throw unsuitable(transport);
}

// A cross-origin window lets nobody look at much.
function isWindow(object) {
  try {
    return object.window === object;
  } catch {
    return true;
  }
}

function unsuitable(got) {
  return typeError("a transport", "stdio(), windowMessages(), a MessagePort, a Worker, or an object with start, send and close", got);
}

const STDIO_OPTIONS = new Set(["input", "output"]);

/** stdio is the transport of lines over two streams of Node: those of the process unless told otherwise. */
export function stdio(options = {}) {
  refuseUnknown(options, STDIO_OPTIONS, "stdio");
  const { input = globalThis.process?.stdin, output = globalThis.process?.stdout } = options;
  if (typeof input?.on !== "function") throw typeError("input", "a readable stream of Node", input);
  if (typeof output?.write !== "function") throw typeError("output", "a writable stream of Node", output);
  return new StdioChannel(input, output);
}

class StdioChannel extends Channel {
  #input;
  #output;
  #sink;
  #line = []; // parts of a line whose end is yet to come
  #lineBytes = 0;
  #skipping = false; // the rest of a line that is too long
  #listeners;
  #written = Promise.resolve(); // of the last write

  constructor(input, output) {
    super();
    this.#input = input;
    this.#output = output;
  }

  start(sink) {
    this.#sink = sink;
    this.#listeners = [
      [this.#input, "data", (chunk) => this.#read(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk)],
      [this.#input, "end", () => this.#ended()],
      [this.#input, "error", (error) => sink.fail(error)],
      [this.#output, "error", (error) => sink.fail(error)],
      [this.#output, "close", () => sink.fail(new IngotError("ERR_CLOSED", "the output was closed"))],
    ];
    for (const [stream, event, listener] of this.#listeners) stream.on(event, listener);
    if (this.#input.readableEnded) this.#ended();
  }

  #read(chunk) {
    let from = 0;
    for (let to; (to = chunk.indexOf(LINE_BREAK, from)) >= 0; from = to + 1) {
      this.#gather(chunk.subarray(from, to));
      this.#endLine();
    }
    this.#gather(chunk.subarray(from));
  }

  // A line above the limit is skipped without being held.
  #gather(part) {
    if (this.#skipping || part.length === 0) return;
    this.#lineBytes += part.length;
    this.#line.push(part);
    if (this.#lineBytes <= this.#sink.messageBytesMax + 1) return; // 1: a carriage return
    this.#skipping = true;
    this.#line = [];
  }

  #endLine() {
    const tooLong = this.#skipping;
    const line = this.#line.length === 1 ? this.#line[0] : joined(this.#line, this.#lineBytes);
    this.#line = [];
    this.#lineBytes = 0;
    this.#skipping = false;
    if (tooLong) return this.#sink.tooLong();
    const frame = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
    if (frame.length > 0) this.#sink.frame(frame);
  }

  #ended() {
    if (this.#lineBytes > 0) this.#endLine();
    this.#sink.end();
  }

  send(frames) {
    const text = frames.map((frame) => decoder.decode(frame)).join("\n") + "\n";
    let written;
    this.#written = new Promise((resolve) => (written = resolve));
    if (this.#output.write(text, () => written())) return undefined;
    return new Promise((resolve) => this.#output.once("drain", resolve));
  }

  pause() {
    this.#input.pause();
  }

  resume() {
    this.#input.resume();
  }

  // What was written has left the process when this resolves: an exit loses nothing.
  async close() {
    for (const [stream, event, listener] of this.#listeners ?? []) stream.off(event, listener);
    this.#output.on("error", () => {}); // nobody is there any more to be told
    if (!this.#output.destroyed) await this.#written;
    this.#input.pause();
    this.#input.unref?.();
  }
}

function joined(parts, size) {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// Answers come as what the client sends: objects, unless it has sent texts.
class MessageChannelBase extends Channel {
  #texts = false;

  shown(frame) {
    const text = decoder.decode(frame);
    return this.#texts ? text : JSON.parse(text);
  }

  taken(message) {
    this.#texts = typeof message === "string";
    return message;
  }
}

// PortChannel is a MessagePort, a Worker, or a worker's own scope, of a browser or Node.
class PortChannel extends MessageChannelBase {
  #port;
  #stop;

  constructor(port) {
    super();
    this.#port = port;
  }

  start(sink) {
    const port = this.#port;
    this.#stop = listen(port, {
      message: (data) => sink.frame(this.taken(data)),
      messageerror: () => sink.frame(""), // what cannot be read is answered as such
      error: (error) => sink.fail(error),
      close: () => sink.end(),
    });
    port.start?.();
  }

  send(frames) {
    for (const frame of frames) this.#port.postMessage(this.shown(frame));
  }

  // A port belongs to this connection; a worker to who made it, and close() of a
  // worker's scope would end the worker.
  close() {
    this.#stop?.();
    if (this.#port instanceof MessagePort) this.#port.close();
  }
}

// listen hears of events, of a browser's kind or of Node's, and returns what ends it.
function listen(target, handlers) {
  const ofNode = typeof target.on === "function" && typeof target.off === "function";
  const listeners = Object.entries(handlers).map(([name, handle]) => {
    const listener = ofNode || name !== "message" ? (value) => handle(value) : ({ data }) => handle(data);
    if (ofNode) target.on(name, listener);
    else target.addEventListener(name, listener);
    return [name, listener];
  });
  return () => {
    for (const [name, listener] of listeners) {
      if (ofNode) target.off(name, listener);
      else target.removeEventListener(name, listener);
    }
  };
}

const WINDOW_OPTIONS = new Set(["origin", "self"]);

/**
 * windowMessages is the transport of messages with another window: the parent of a
 * frame, a frame, or one that was opened. Only that window's messages are taken, and
 * only while it shows a page of that origin; answers go nowhere else.
 */
export function windowMessages(target, options) {
  if (typeof target?.postMessage !== "function") throw typeError("a window", "the window of the client", target);
  refuseUnknown(options, WINDOW_OPTIONS, "windowMessages");
  const { origin, self = globalThis } = options;
  if (typeof origin !== "string") throw typeError("origin", "the origin of the client's page, such as \"https://example.org\"", origin);
  if (!isOrigin(origin)) {
    throw new IngotError("ERR_OPTIONS", `origin must be one origin, such as "https://example.org", not ${JSON.stringify(origin)}: any page could use the state otherwise`);
  }
  return new WindowChannel(target, origin, self);
}

function isOrigin(text) {
  try {
    return new URL(text).origin === text && text !== "null";
  } catch {
    return false;
  }
}

class WindowChannel extends MessageChannelBase {
  #target;
  #origin;
  #self;
  #listener;

  constructor(target, origin, self) {
    super();
    this.#target = target;
    this.#origin = origin;
    this.#self = self;
  }

  start(sink) {
    this.#listener = ({ source, origin, data }) => {
      if (source === this.#target && origin === this.#origin) sink.frame(this.taken(data));
    };
    this.#self.addEventListener("message", this.#listener);
  }

  send(frames) {
    for (const frame of frames) this.#target.postMessage(this.shown(frame), this.#origin);
  }

  close() {
    this.#self.removeEventListener("message", this.#listener);
  }
}

// SdkChannel is an object of the TypeScript SDK's Transport shape.
class SdkChannel extends Channel {
  #transport;

  constructor(transport) {
    super();
    this.#transport = transport;
  }

  async start(sink) {
    const transport = this.#transport;
    transport.onmessage = (message) => sink.frame(message);
    transport.onclose = () => sink.end();
    transport.onerror = () => {}; // a mistake that it goes on after
    await transport.start();
  }

  async send(frames) {
    for (const frame of frames) await this.#transport.send(JSON.parse(decoder.decode(frame)));
  }

  async close() {
    this.#transport.onmessage = this.#transport.onclose = undefined;
    await this.#transport.close();
  }
}

/** inMemoryPair is two transports of which each gets what the other sends: one for a client, one for serve. */
export function inMemoryPair() {
  const left = new PairEnd();
  const right = new PairEnd();
  left.other = right;
  right.other = left;
  return [left, right];
}

// PairEnd has the Transport shape, so that clients of the SDK take it too. What comes
// before start waits.
class PairEnd {
  other;
  onmessage;
  onclose;
  onerror;
  #waiting = [];
  #started = false;
  #closed = false;

  async start() {
    this.#started = true;
    for (const message of this.#waiting.splice(0)) this.onmessage?.(message);
  }

  async send(message) {
    if (this.#closed) throw new IngotError("ERR_CLOSED", "the transport is closed");
    this.other.#deliver(message);
  }

  #deliver(message) {
    if (!this.#started) this.#waiting.push(message);
    else this.onmessage?.(message);
  }

  async close() {
    if (this.#closed) return;
    this.#closed = true;
    this.onclose?.();
    await this.other.close();
  }
}
