// Entries as lines of JSON, as "ingot state export" writes and "ingot state import"
// reads them: key, value, version and expires_at (Unix milliseconds); key_base64 and
// value_base64 where they are not text.

import { InputError, shortKey } from "./problems.js";
import { base64Of, bytesOfBase64, bytesOfText, textOf } from "./value.js";

const keyBytesMax = 65_536;
const names = new Set(["key", "key_base64", "value", "value_base64", "version", "expires_at"]);

/** The line of an entry, with its end. */
export function lineOf({ key, value, version, deadline }) {
  const record = typeof key === "string" ? { key } : { key_base64: base64Of(key) };
  const text = textOf(value);
  if (text === null) record.value_base64 = base64Of(value);
  else if (text !== "") record.value = text;
  if (version) record.version = version;
  if (deadline !== null) record.expires_at = Math.round(deadline);
  return `${JSON.stringify(record)}\n`;
}

/**
 * The entries of such lines: { entries: [{ key, value, deadline }], expired }. A key is
 * text, or bytes that are none. Entries whose time is over are counted and left out; a
 * key that stands twice has what its last line says.
 */
export function entriesOf(text, now = Date.now()) {
  const entries = new Map();
  let expired = 0;
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const entry = entryOf(line, i + 1);
    const id = typeof entry.key === "string" ? entry.key : `\ud800${base64Of(entry.key)}`;
    entries.delete(id);
    if (entry.deadline !== null && entry.deadline <= now) expired++;
    else entries.set(id, entry);
  }
  return { entries: [...entries.values()], expired };
}

function entryOf(line, number) {
  const wrong = (why) => new InputError(`Line ${number} is no entry as ingot state export writes it: ${why}`);
  let record;
  try {
    record = JSON.parse(line);
  } catch {
    throw wrong("it is not JSON.");
  }
  if (typeof record !== "object" || record === null || Array.isArray(record)) throw wrong("it is not an object.");
  const strange = Object.keys(record).find((name) => !names.has(name));
  if (strange !== undefined) throw wrong(`it has no “${shortKey(strange)}”.`);
  const keyBytes = bytesOfField(record, "key", wrong);
  const value = bytesOfField(record, "value", wrong);
  if (keyBytes.length === 0 || keyBytes.length > keyBytesMax) throw wrong(`a key has 1 to 65,536 bytes, and this one ${keyBytes.length}.`);
  const { expires_at: deadline = null } = record;
  if (deadline !== null && !(Number.isSafeInteger(deadline) && deadline >= 0)) throw wrong("expires_at is in Unix milliseconds.");
  return { key: textOf(keyBytes) ?? keyBytes, value, deadline: deadline === 0 ? null : deadline };
}

function bytesOfField(record, name, wrong) {
  const { [name]: text, [`${name}_base64`]: base64 } = record;
  if (text !== undefined && base64 !== undefined) throw wrong(`it has a ${name} and the same in base64.`);
  if (text !== undefined && typeof text !== "string") throw wrong(`its ${name} is no text.`);
  if (base64 === undefined) return bytesOfText(text ?? "");
  try {
    return bytesOfBase64(base64);
  } catch {
    throw wrong(`its ${name}_base64 is no base64.`);
  }
}
