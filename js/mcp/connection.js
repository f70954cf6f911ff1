import { IngotError } from "../errors.js";

// Bytes of answers that wait for a slow client here, before the core is made to wait.
const OUT_BYTES_MAX = 1 << 20;

// Frames that wait to be served: from there on a channel is asked to read no more, and
// one that goes on all the same is closed. The core has room for as many calls itself.
const UNSERVED_PAUSE = 256;
const UNSERVED_MAX = 65_536;
// The same in bytes, in messages of the greatest length.
const UNSERVED_MESSAGES_PAUSE = 2;
const UNSERVED_MESSAGES_MAX = 8;

const encoder = new TextEncoder();

/**
 * Connection is one client of a server: a channel on the one side, and a number of the
 * core on the other. `closed` resolves when it is over, and rejects with what broke it.
 */
export class Connection {
  #core;
  #channel;
  #number;
  #messageBytesMax;
  #fresh = []; // frames for the client, from the run that goes on
  #held = []; // those of the runs before: { frames, ready }, the oldest first
  #outBytes = 0; // of both
  #told = false; // the core waits for writable
  #sending = false; // the channel has no room
  #unserved = []; // sizes of frames that the core has not dealt with, the oldest first
  #unservedBytes = 0;
  #paused = false;
  #ending = false; // no more frames are taken
  #over = false; // the core has nothing more to say
  #finished = false;
  #settle;
  #onClosed;

  /** Resolves when the connection is over. */
  closed;

  /** @internal */
  constructor(core, channel, messageBytesMax, onClosed) {
    this.#core = core;
    this.#channel = channel;
    this.#messageBytesMax = messageBytesMax;
    this.#onClosed = onClosed;
    this.closed = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.closed.catch(() => {}); // who does not look is not to be ended by it
    this.#number = core.connect(this);
  }

  /** @internal start has the channel begin. It does so when the caller has the connection. */
  async start() {
    try {
      await this.#channel.start({
        frame: (frame) => this.#received(frame),
        tooLong: () => this.#refuse(),
        end: () => this.#end(),
        fail: (error) => this.#fail(error),
        messageBytesMax: this.#messageBytesMax,
      });
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  /** close cancels the calls in flight and ends the connection. */
  async close() {
    this.#ending = true;
    if (!this.#over && this.#core.failure === null) this.#core.drop(this.#number);
    return this.closed;
  }

  // What the channel tells. A frame is a text, bytes, or a message as an object.

  #received(frame) {
    if (this.#ending || this.#core.failure !== null) return;
    let bytes;
    try {
      const text = frame instanceof Uint8Array || typeof frame === "string" ? frame : JSON.stringify(frame) ?? "null";
      if (text.length > this.#messageBytesMax) return this.#refuse();
      bytes = typeof text === "string" ? encoder.encode(text) : text;
    } catch (error) {
      bytes = encoder.encode("null"); // such as a cycle: no message, and answered so
    }
    if (bytes.length > this.#messageBytesMax) return this.#refuse();
    if (this.#take(bytes.length)) this.#core.receive(this.#number, bytes);
  }

  #refuse() {
    if (!this.#ending && this.#core.failure === null && this.#take(0)) this.#core.refuse(this.#number);
  }

  // take counts a frame, and reports whether there is room for it.
  #take(size) {
    this.#unserved.push(size);
    this.#unservedBytes += size;
    const most = this.#messageBytesMax;
    if (this.#unserved.length > UNSERVED_MAX || this.#unservedBytes > UNSERVED_MESSAGES_MAX * most) {
      this.#fail(new IngotError("ERR_FULL", "the client sends faster than it is served, and its transport cannot be made to wait: the connection is closed"));
      return false;
    }
    if (!this.#paused && this.#crowded()) {
      this.#paused = true;
      this.#channel.pause?.();
    }
    return true;
  }

  #crowded() {
    return this.#unserved.length > UNSERVED_PAUSE || this.#unservedBytes > UNSERVED_MESSAGES_PAUSE * this.#messageBytesMax;
  }

  #end() {
    if (this.#ending) return;
    this.#ending = true;
    if (this.#core.failure === null) this.#core.end(this.#number);
  }

  // The channel is broken: nothing more can be said.
  #fail(error) {
    if (this.#finished) return;
    this.#fresh = [];
    this.#held = [];
    this.#outBytes = 0;
    this.#ending = true;
    if (!this.#over && this.#core.failure === null) this.#core.drop(this.#number);
    this.#finish(error);
  }

  // What the core tells. It is called from within a run.

  /** @internal take takes a frame for the client and reports whether there is room for another. */
  take(frame) {
    if (this.#finished) return true;
    this.#fresh.push(frame);
    this.#outBytes += frame.length;
    this.#told = this.#outBytes > OUT_BYTES_MAX;
    return !this.#told;
  }

  /** @internal served says that the core has dealt with the oldest frame. */
  served() {
    this.#unservedBytes -= this.#unserved.shift();
    if (!this.#paused || this.#crowded()) return;
    this.#paused = false;
    queueMicrotask(() => {
      if (!this.#finished && !this.#paused) this.#channel.resume?.();
    });
  }

  /** @internal over says that the core has nothing more to say. */
  over() {
    this.#over = true;
  }

  /** @internal failed says that the core is of no more use. */
  failed(error) {
    this.#over = true;
    this.#finish(error);
  }

  /**
   * @internal flush hands the channel what waits for it, after a run. What the run has
   * written to the store is durable when `durable` resolves, if it is given: an answer
   * that left before could tell of a write that a crash undoes.
   */
  flush(durable) {
    if (this.#fresh.length > 0) this.#hold(this.#fresh, durable);
    this.#fresh = [];
    while (!this.#sending && this.#held[0]?.ready) this.#send(this.#held.shift().frames);
    if (!this.#over) return;
    this.#core.forget(this.#number);
    if (this.#held.length === 0 && !this.#sending) this.#finish();
  }

  #hold(frames, durable) {
    const held = { frames, ready: durable === undefined };
    this.#held.push(held);
    durable?.then(
      () => {
        held.ready = true;
        this.flush();
      },
      (error) => this.#fail(error),
    );
  }

  #send(frames) {
    for (const frame of frames) this.#outBytes -= frame.length;
    let room;
    try {
      room = this.#channel.send(frames);
    } catch (error) {
      return this.#fail(error);
    }
    if (room === undefined) return this.#sent();
    this.#sending = true;
    room.then(
      () => {
        this.#sending = false;
        this.#sent();
        this.flush();
      },
      (error) => this.#fail(error),
    );
  }

  #sent() {
    if (!this.#told || this.#outBytes > OUT_BYTES_MAX) return;
    this.#told = false;
    if (!this.#over && this.#core.failure === null) this.#core.writable(this.#number);
  }

  async #finish(error) {
    if (this.#finished) return;
    this.#finished = true;
    this.#ending = true;
    try {
      await this.#channel.close();
    } catch (cause) {
      error ??= cause;
    }
    const code = error?.code;
    if (error === undefined || code === "ERR_CLOSED") this.#settle.resolve();
    else this.#settle.reject(error);
    this.#onClosed(this);
  }
}
