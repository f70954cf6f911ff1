import { typeError } from "./errors.js";

/** chunksOf gives the chunks of a snapshot, however it is handed over. */
export async function* chunksOf(source) {
  if (source instanceof Uint8Array) yield source;
  else if (typeof source?.[Symbol.asyncIterator] === "function" || typeof source?.[Symbol.iterator] === "function" && typeof source !== "string") yield* source;
  else throw typeError("a snapshot", "a Uint8Array or an iterable of them", source);
}

/** joined is chunks as one. */
export function joined(chunks) {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
