import { IngotError } from "../errors.js";

// What passes between a page and the worker that has its store.
//
// To the worker: { id, calls }, with calls a list of [method, ...arguments]; the ids
// of its calls count up from `id`. Neighbouring gets are one call ["gets", keys], of as
// many ids as keys: { asked, sizes, bytes, failures } answers all of them. So are
// neighbouring sets of bytes: ["sets", keys, sizes, bytes], answered by { asked, versions,
// failures }. The answer is { id, results, failures }: a result for each call, and a list
// of [place, failure].

/** Methods that change the contents: their answers wait until that is durable. */
export const WRITES = new Set(["set", "sets", "setJSON", "setMany", "delete", "deleteMany", "cas", "increment", "expire", "batch", "clear", "restore", "tick"]);

/** The policies with which a write is durable when it is answered. */
export const SYNCED = new Set(["always", "group"]);

/** isRepeatable reports whether a call may be run twice. */
export function isRepeatable(method) {
  return !WRITES.has(method) && method !== "flush";
}

/** idsOf is how many ids a call has. */
export function idsOf([method, keys]) {
  return method === "gets" || method === "sets" ? keys.length : 1;
}

/** failureOf is an error as it passes, since a clone of one loses its fields. */
export function failureOf(error) {
  const { code = "ERR_INTERNAL", message = String(error), version, index } = error;
  return { code, message, version, index };
}

/** errorOf is the error again. */
export function errorOf({ code, message, version, index }) {
  const error = new IngotError(code, message);
  if (version !== undefined) error.version = version;
  if (index !== undefined) error.index = index;
  return error;
}

/** packed is values in one block: sizes, -1 for absent ones, and the bytes. */
export function packed(values) {
  const sizes = new Int32Array(values.length);
  let size = 0;
  for (let i = 0; i < values.length; i++) {
    sizes[i] = values[i] === undefined ? -1 : values[i].length;
    if (sizes[i] > 0) size += sizes[i];
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const value of values) {
    if (value === undefined) continue;
    bytes.set(value, at);
    at += value.length;
  }
  return { sizes, bytes };
}
