/**
 * ToolError says why a tool cannot be loaded or why a call failed. `code` is
 * stable, the text is not; with ERR_TOOL_FAILED, `guestCode` is the tool's own.
 */
export class ToolError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
    this.guestCode = options?.guestCode;
  }
}
ToolError.prototype.name = "ToolError";

/** typeError is the refusal of an argument of the wrong type. */
export function typeError(what, wanted, got) {
  const kind = got === null ? "null" : typeof got === "object" ? `a ${got.constructor?.name ?? "object"}` : typeof got;
  return new ToolError("ERR_TOOL_OPTIONS", `${what} must be ${wanted}, not ${kind}`);
}

const CLIPPED = 512;

/** clip cuts a guest's text, and shows what cannot be printed as "?". */
export function clip(text, length = CLIPPED) {
  // eslint-disable-next-line no-control-regex
  const printable = text.replace(/[\u0000-\u0008\u000b-\u001f\u007f\ufffd]/g, "?");
  return printable.length > length ? `${printable.slice(0, length)}…` : printable;
}
