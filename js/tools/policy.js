import { ToolError, typeError } from "./errors.js";

const MIB = 1 << 20;
const PAGE_BYTES = 64 << 10;

/** What a call may take when the policy does not say; see docs/ABI.md. */
export const DEFAULT_LIMITS = Object.freeze({
  moduleBytes: 32 * MIB,
  memoryBytes: 64 * MIB,
  tableElements: 1 << 20,
  inputBytes: 4 * MIB,
  outputBytes: MIB,
  logBytes: 64 << 10,
  logLines: 256,
  fuel: 2_000_000_000,
  httpRequests: 16,
  httpResponseBytes: 4 * MIB,
});

/** The bytes and operations of a state grant that names none, for one call. */
const STATE_DEFAULTS = { bytes: 4 * MIB, ops: 1000 };

const POLICY_FIELDS = new Set(["state", "http", "env", "clock", "seed", "limits"]);
const STATE_FIELDS = new Set(["prefix", "access", "bytes", "ops"]);
const HTTP_FIELDS = new Set(["host", "methods"]);

/** The ports that URLs leave out. */
const OWN_PORTS = { "http:": "80", "https:": "443" };

const encoder = new TextEncoder();

/**
 * checkedPolicy completes a policy and refuses what it cannot enforce: an
 * unknown name is a grant or a limit that would silently not hold.
 */
export function checkedPolicy(policy = {}) {
  if (typeof policy !== "object" || policy === null) throw typeError("policy", "an object", policy);
  refuseUnknown(policy, POLICY_FIELDS, "policy");
  return Object.freeze({
    state: list("policy.state", policy.state).map(stateGrant),
    http: list("policy.http", policy.http).map(httpGrant),
    env: environment(policy.env),
    clock: oneOf("policy.clock", policy.clock, ["virtual", "real"]),
    seed: policy.seed === undefined ? undefined : text("policy.seed", policy.seed),
    limits: limits(policy.limits),
  });
}

function refuseUnknown(object, known, where) {
  for (const name of Object.keys(object)) {
    if (!known.has(name)) throw new ToolError("ERR_TOOL_OPTIONS", `${where} has no "${name}": it may have ${[...known].join(", ")}`);
  }
}

function list(where, value = []) {
  if (!Array.isArray(value)) throw typeError(where, "a list", value);
  return value;
}

function text(where, value) {
  if (typeof value !== "string") throw typeError(where, "a string", value);
  return value;
}

function oneOf(where, value = undefined, names = []) {
  if (value === undefined) return names[0];
  if (!names.includes(value)) throw new ToolError("ERR_TOOL_OPTIONS", `${where} must be ${names.map((n) => `"${n}"`).join(" or ")}, not ${JSON.stringify(value)}`);
  return value;
}

function count(where, value, least = 1) {
  if (!Number.isSafeInteger(value) || value < least) throw new ToolError("ERR_TOOL_OPTIONS", `${where} must be a whole number of at least ${least}, not ${String(value)}`);
  return value;
}

function stateGrant(grant, i) {
  const where = `policy.state[${i}]`;
  if (typeof grant !== "object" || grant === null) throw typeError(where, "an object", grant);
  refuseUnknown(grant, STATE_FIELDS, where);
  const prefix = text(`${where}.prefix`, grant.prefix);
  if (prefix === "") throw new ToolError("ERR_TOOL_OPTIONS", `${where}.prefix is empty, which would be the whole store: name the keys that the tool may use`);
  return {
    prefix,
    prefixBytes: encoder.encode(prefix),
    write: oneOf(`${where}.access`, grant.access, ["read", "read-write"]) === "read-write",
    bytes: count(`${where}.bytes`, grant.bytes ?? STATE_DEFAULTS.bytes),
    ops: count(`${where}.ops`, grant.ops ?? STATE_DEFAULTS.ops),
  };
}

function httpGrant(grant, i) {
  const where = `policy.http[${i}]`;
  if (typeof grant !== "object" || grant === null) throw typeError(where, "an object", grant);
  refuseUnknown(grant, HTTP_FIELDS, where);
  const host = text(`${where}.host`, grant.host).toLowerCase();
  if (!/^(\*\.)?[a-z0-9.[\]:-]+$/.test(host)) throw new ToolError("ERR_TOOL_OPTIONS", `${where}.host is ${JSON.stringify(host)}: it must be a host name, with or without a port, or *.name`);
  const methods = list(`${where}.methods`, grant.methods ?? ["GET", "HEAD"]).map((m) => text(`${where}.methods`, m).toUpperCase());
  return { host, methods };
}

function environment(env = {}) {
  if (typeof env !== "object" || env === null || Array.isArray(env)) throw typeError("policy.env", "an object of strings", env);
  return Object.entries(env).map(([name, value]) => {
    if (name === "" || /[=\0]/.test(name) || text(`policy.env.${name}`, value).includes("\0")) {
      throw new ToolError("ERR_TOOL_OPTIONS", `policy.env: ${JSON.stringify(name)} cannot be a variable: a name has no "=", and neither part a zero byte`);
    }
    return `${name}=${value}`;
  });
}

function limits(given = {}) {
  if (typeof given !== "object" || given === null) throw typeError("policy.limits", "an object", given);
  refuseUnknown(given, new Set(Object.keys(DEFAULT_LIMITS)), "policy.limits");
  const all = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(given)) all[name] = count(`policy.limits.${name}`, value);
  if (all.memoryBytes < PAGE_BYTES) throw new ToolError("ERR_TOOL_OPTIONS", `policy.limits.memoryBytes is ${all.memoryBytes}: a page has ${PAGE_BYTES}`);
  return all;
}

/** httpRefusal says why a request may not be made, or "". */
export function httpRefusal(grants, url, method) {
  if (url.protocol !== "https:" && url.protocol !== "http:") return `${url.protocol} URLs are not offered, only http and https`;
  if (url.username !== "" || url.password !== "") return "a URL may not hold a user name or password";
  const fits = grants.filter(({ host }) => hostFits(host, url));
  if (fits.length === 0) return `the tool may not reach ${url.host}: grant http: [{host: "${url.host}"}]`;
  if (!fits.some(({ methods }) => methods.includes(method))) return `the tool may not use ${method} at ${url.host}: grant http: [{host: "${url.host}", methods: ["${method}"]}]`;
  return "";
}

// A pattern without a port means the scheme's own, which url.port leaves out.
function hostFits(pattern, url) {
  const [, name, port = ""] = /^(.*?)(?::(\d+))?$/.exec(pattern);
  if (port !== url.port && !(url.port === "" && port === OWN_PORTS[url.protocol])) return false;
  return name.startsWith("*.") ? url.hostname.endsWith(name.slice(1)) : name === url.hostname;
}
