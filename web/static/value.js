// Values are bytes. This file turns them into what people read and type, and back.

import { faultOf } from "./json.js";
import { InputError } from "./problems.js";

const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The longest value, in bytes, that the page opens for editing. */
export const editBytesMax = 256 * 1024;

/** Values of up to this many bytes are read along with the list that shows them. */
export const previewBytesMax = 1024;

/** The UTF-8 bytes of a text. */
export const bytesOfText = (text) => encoder.encode(text);

/** The text of bytes, or null when they are not UTF-8. */
export function textOf(bytes) {
  try {
    return strictText.decode(bytes);
  } catch {
    return null;
  }
}

/** "48 69" for the bytes of "Hi". */
export function hexOf(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
}

/** The bytes of a hex text; white space between digits is free. */
export function bytesOfHex(text) {
  const digits = text.replace(/\s+/g, "");
  if (/[^0-9a-f]/i.test(digits)) throw new InputError("Hex has the digits 0 to 9 and a to f only.");
  if (digits.length % 2 !== 0) throw new InputError("Hex needs two digits for each byte; one digit is missing.");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/**
 * How a value is put into the editor: { format, text }. A text field turns every line
 * end into "\n", so a text with "\r" in it is edited as hex and comes back unchanged.
 */
export function editable(bytes) {
  const text = textOf(bytes);
  if (text === null || text.includes("\r")) return { format: "hex", text: hexOf(bytes) };
  return { format: /^\s*[[{]/.test(text) && faultOf(text) === null ? "json" : "text", text };
}

/** The start of a value, for a list: { text, isHex }. */
export function preview(bytes) {
  const text = textOf(bytes);
  if (text !== null) return { text: text.slice(0, 200) + (text.length > 200 ? "…" : ""), isHex: false };
  return { text: hexOf(bytes.subarray(0, 32)) + (bytes.length > 32 ? " …" : ""), isHex: true };
}

export function base64Of(bytes) {
  let binary = "";
  const step = 0x8000; // String.fromCharCode takes only so many arguments
  for (let i = 0; i < bytes.length; i += step) binary += String.fromCharCode(...bytes.subarray(i, i + step));
  return btoa(binary);
}

export const bytesOfBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

export function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** "12 B", "3.4 KiB", "64 MiB". */
export function sizeText(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${unit > 0 && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

export const countText = (n) => n.toLocaleString("en-US");

/** "42 s", "3 min 05 s", "2 h 10 min", "5 d 3 h". */
export function timeText(millis) {
  const s = Math.max(0, Math.ceil(millis / 1000));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
  return `${countText(Math.floor(s / 86400))} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** What is left until a deadline, in whole seconds, as a time to live; undefined for none. */
export const ttlSecondsOf = (deadline) =>
  deadline === null ? undefined : Math.max(1, Math.ceil((deadline - Date.now()) / 1000));
