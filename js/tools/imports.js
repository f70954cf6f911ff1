import { ToolError, clip } from "./errors.js";
import { httpRefusal } from "./policy.js";

// The functions of the module "ingot"; docs/ABI.md specifies them. Those that
// answer data return code << 32 | length, and leave the reply for `reply`.

const CODE = { OK: 0, NOT_FOUND: 1, DENIED: 2, LIMIT: 3, INVALID: 4, CONFLICT: 5, UNAVAILABLE: 6, TIMEOUT: 7 };

/** What the store's refusals are to a guest; others are CODE.UNAVAILABLE. */
const STORE_CODES = new Map([
  ["ERR_CONFLICT", CODE.CONFLICT],
  ["ERR_FULL", CODE.LIMIT],
  ["ERR_KEY_SIZE", CODE.INVALID],
  ["ERR_VALUE_SIZE", CODE.INVALID],
  ["ERR_TTL", CODE.INVALID],
  ["ERR_NOT_NUMBER", CODE.INVALID],
  ["ERR_OVERFLOW", CODE.INVALID],
]);

const LIST_MAX = 1000;
const HTTP_MILLIS = 10_000;
const REDIRECTS_MAX = 5;
const NO_BYTES = new Uint8Array(0);

// Headers that a guest may not set: they say where the request goes and where it ends.
const HEADERS_KEPT = /^(host|connection|content-length|expect|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|sec-.*)$/i;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Refusal is an answer other than OK, as a guest sees it. */
class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** ingotImports are the functions, over the host's call that runs now. */
export function ingotImports(host) {
  const block = (ptr, size) => blockOf(host, ptr >>> 0, size >>> 0);
  const answered = (act) => (...args) => finish(host, attempt(() => act(...args)));
  const imports = {
    log: (level, ptr, size) => host.call.log.line(level, decoder.decode(block(ptr, size))),
    reply: (ptr) => takeReply(host, ptr >>> 0),
    progress: (done, total, ptr, size) => host.call.progress(done, total, decoder.decode(block(ptr, size))),
    state_get: answered((key, keyLen) => stateGet(host, block(key, keyLen).slice())),
    state_set: answered((key, keyLen, value, valueLen, ttl, ifVersion) =>
      stateSet(host, block(key, keyLen).slice(), block(value, valueLen).slice(), ttl, ifVersion)),
    state_delete: answered((key, keyLen, ifVersion) => stateDelete(host, block(key, keyLen).slice(), ifVersion)),
    state_increment: answered((key, keyLen, delta, ttl) => stateIncrement(host, block(key, keyLen).slice(), delta, ttl)),
    state_list: answered((prefix, prefixLen, after, afterLen, limit) =>
      stateList(host, block(prefix, prefixLen).slice(), block(after, afterLen).slice(), limit)),
  };
  const request = (head, headLen, body, bodyLen) => httpRequest(host, decoder.decode(block(head, headLen)), block(body, bodyLen).slice());
  if (host.suspends) {
    imports.http_request = new WebAssembly.Suspending(async (...args) => finish(host, await attemptAsync(() => request(...args))));
  } else {
    imports.http_request = () => finish(host, { code: CODE.DENIED, reply: encoder.encode("the tool may not reach any host: grant http: [{host: …}]") });
  }
  return imports;
}

function blockOf(host, ptr, size) {
  if (host.memory === undefined) throw new ToolError("ERR_TOOL_ABI", "it called the host from its start function, before its memory is known: do it in _initialize");
  if (ptr + size > host.memory.buffer.byteLength) {
    throw new ToolError("ERR_TOOL_ABI", `it gave pointer ${ptr} and length ${size}, but its memory ends at ${host.memory.buffer.byteLength}`);
  }
  return new Uint8Array(host.memory.buffer, ptr, size);
}

function takeReply(host, ptr) {
  blockOf(host, ptr, host.call.reply.length).set(host.call.reply);
  host.call.reply = NO_BYTES;
}

/** finish leaves the reply and packs the answer. */
function finish(host, { code, reply }) {
  host.call.reply = reply;
  return (BigInt(code) << 32n) | BigInt(reply.length);
}

function attempt(act) {
  try {
    return { code: CODE.OK, reply: act() ?? NO_BYTES };
  } catch (error) {
    return refused(error);
  }
}

async function attemptAsync(act) {
  try {
    return { code: CODE.OK, reply: await act() };
  } catch (error) {
    return refused(error);
  }
}

function refused(error) {
  if (error instanceof ToolError) throw error; // ends the call
  const code = error instanceof Refusal ? error.code : STORE_CODES.get(error.code) ?? CODE.UNAVAILABLE;
  return { code, reply: encoder.encode(clip(error.message)) };
}

// State.

/** grantFor finds the grant that covers key, and charges it with one operation and some bytes. */
function grantFor(host, key, write, bytes, what) {
  const name = JSON.stringify(decoder.decode(key));
  const covering = host.policy.state.filter(({ prefixBytes }) => startsWith(key, prefixBytes));
  const grant = covering.find((g) => g.write || !write);
  if (host.store === undefined || grant === undefined) {
    const access = write ? "read-write" : "read";
    const wanted = covering[0]?.prefix ?? decoder.decode(key);
    throw new Refusal(CODE.DENIED, `${what} ${name} is outside what the tool may ${write ? "write" : "read"}: grant state: [{prefix: ${JSON.stringify(wanted)}, access: "${access}"}]`);
  }
  charge(host, grant, 1, bytes);
  return grant;
}

function charge(host, grant, ops, bytes) {
  const use = host.call.use(grant);
  use.ops += ops;
  use.bytes += bytes;
  if (use.ops > grant.ops) throw new Refusal(CODE.LIMIT, `the tool used its ${grant.ops} state operations of this call: raise ops of the grant for ${JSON.stringify(grant.prefix)}`);
  if (use.bytes > grant.bytes) throw new Refusal(CODE.LIMIT, `the tool moved more than its ${grant.bytes} bytes of state in this call: raise bytes of the grant for ${JSON.stringify(grant.prefix)}`);
}

function startsWith(key, prefix) {
  return key.length >= prefix.length && prefix.every((b, i) => key[i] === b);
}

function word(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return bytes;
}

function joined(...parts) {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function stateGet(host, key) {
  const grant = grantFor(host, key, false, key.length, "state key");
  const entry = host.store.getEntry(key);
  if (entry === undefined) throw absent(key);
  charge(host, grant, 0, entry.value.length);
  return joined(word(entry.version), entry.value);
}

function absent(key) {
  return new Refusal(CODE.NOT_FOUND, `there is no state key ${JSON.stringify(decoder.decode(key))}`);
}

function stateSet(host, key, value, ttl, ifVersion) {
  grantFor(host, key, true, key.length + value.length, "state key");
  const options = { ttl: milliseconds(ttl) };
  if (ifVersion > 0n) options.ifVersion = version(ifVersion);
  else if (ifVersion === 0n) options.ifAbsent = true;
  else if (ifVersion !== -1n) throw new Refusal(CODE.INVALID, `ifVersion is ${ifVersion}: it is -1 (always), 0 (only when absent) or a version`);
  return word(host.store.set(key, value, options));
}

function stateDelete(host, key, ifVersion) {
  grantFor(host, key, true, key.length, "state key");
  if (ifVersion !== -1n && ifVersion <= 0n) throw new Refusal(CODE.INVALID, `ifVersion is ${ifVersion}: it is -1 (always) or a version`);
  if (!host.store.has(key)) throw absent(key);
  host.store.delete(key, ifVersion === -1n ? {} : { ifVersion: version(ifVersion) });
}

function stateIncrement(host, key, delta, ttl) {
  grantFor(host, key, true, key.length + 8, "state key");
  const end = milliseconds(ttl);
  const fresh = !host.store.has(key);
  const sum = host.store.increment(key, delta);
  if (fresh && end > 0) host.store.expire(key, end);
  return word(sum);
}

function stateList(host, prefix, after, limit) {
  const grant = grantFor(host, prefix, false, prefix.length + after.length, "state prefix");
  const wanted = Math.min(limit >>> 0 || LIST_MAX, LIST_MAX);
  const page = host.store.list({ prefix, after, limit: wanted, keyType: "bytes" });
  const parts = page.entries.flatMap(({ key }) => [u32(key.length), key]);
  const reply = joined(...parts);
  charge(host, grant, 0, reply.length);
  return reply;
}

function u32(value) {
  return new Uint8Array(new Uint32Array([value]).buffer); // wasm and every JavaScript host that runs it are little-endian
}

function milliseconds(ttl) {
  if (ttl < 0n || ttl > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal(CODE.INVALID, `a time to live of ${ttl} ms cannot be kept`);
  return Number(ttl);
}

function version(value) {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal(CODE.CONFLICT, `version ${value} was never given`);
  return Number(value);
}

// HTTP.

async function httpRequest(host, headText, body) {
  const { limits, http } = host.policy;
  if (++host.call.requests > limits.httpRequests) throw new Refusal(CODE.LIMIT, `the tool made its ${limits.httpRequests} requests of this call: raise limits.httpRequests`);
  const head = requestHead(headText);
  const stop = AbortSignal.any([AbortSignal.timeout(head.timeoutMillis), host.call.signal]);
  try {
    let { url, method, headers } = head;
    let content = body.length > 0 ? body : undefined;
    for (let redirects = 0; ; redirects++) {
      const refusal = httpRefusal(http, url, method);
      if (refusal !== "") throw new Refusal(CODE.DENIED, refusal);
      const response = await fetch(url, { method, headers, redirect: "manual", credentials: "omit", signal: stop, body: content });
      if (response.type === "opaqueredirect") throw new Refusal(CODE.DENIED, `${url.host} redirects, and a page cannot see where to: ask the final URL`);
      const to = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || to === null) return await reply(response, limits.httpResponseBytes);
      await response.body?.cancel();
      if (redirects === REDIRECTS_MAX) throw new Refusal(CODE.LIMIT, `${head.url.host} redirects more than ${REDIRECTS_MAX} times`);
      const next = new URL(to, url);
      if (url.protocol === "https:" && next.protocol === "http:") throw new Refusal(CODE.DENIED, `${url.host} redirects from https to http, which is not followed`);
      if (next.origin !== url.origin) headers = harmless(headers); // the rest may hold what is for the first host only
      if (response.status === 303 || response.status < 303 && method === "POST") [method, content] = ["GET", undefined]; // as fetch does it
      url = next;
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (host.call.signal.aborted) throw new ToolError("ERR_TOOL_CANCELED", "the caller gave up", { cause: error });
    if (error.name === "TimeoutError") throw new Refusal(CODE.TIMEOUT, `${head.url.host} did not answer in ${head.timeoutMillis} ms`);
    throw new Refusal(CODE.UNAVAILABLE, `${head.url.host} cannot be reached: ${error.cause?.message ?? error.message}`);
  }
}

/** harmless are the headers that may go to another host than they were meant for. */
function harmless(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^(accept|accept-language|content-type|user-agent)$/i.test(name)));
}

function requestHead(text) {
  let head;
  try {
    head = JSON.parse(text);
  } catch (error) {
    throw new Refusal(CODE.INVALID, `the head of the request is not JSON: ${error.message}`);
  }
  const { method = "GET", url, headers = {}, timeoutMillis = HTTP_MILLIS } = head ?? {};
  if (typeof url !== "string" || !URL.canParse(url)) throw new Refusal(CODE.INVALID, `the request's "url" is no URL`);
  if (typeof method !== "string" || !/^[A-Z]{1,16}$/.test(method)) throw new Refusal(CODE.INVALID, `the request's "method" is none`);
  for (const name of Object.keys(headers)) {
    if (HEADERS_KEPT.test(name)) throw new Refusal(CODE.DENIED, `the header ${clip(name, 64)} is the host's to set: leave it out`);
  }
  return { method, url: new URL(url), headers, timeoutMillis: Math.min(Math.max(1, Number(timeoutMillis) || HTTP_MILLIS), HTTP_MILLIS) };
}

async function reply(response, bytesMax) {
  const parts = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > bytesMax) throw new Refusal(CODE.LIMIT, `the answer has more than ${bytesMax} bytes: raise limits.httpResponseBytes`);
    parts.push(chunk);
  }
  const head = encoder.encode(JSON.stringify({ status: response.status, headers: Object.fromEntries(response.headers) }));
  return joined(u32(head.length), head, ...parts);
}
