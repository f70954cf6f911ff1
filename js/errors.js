/** Every code that an IngotError can have, by the number the engine gives it. */
const CODES = new Map([
  [-2, "ERR_INTERNAL"],
  [-3, "ERR_HANDLE"],
  [-4, "ERR_REQUEST"],
  [-5, "ERR_BUSY"],
  [-10, "ERR_CONFLICT"],
  [-11, "ERR_CLOSED"],
  [-12, "ERR_KEY_SIZE"],
  [-13, "ERR_VALUE_SIZE"],
  [-14, "ERR_TTL"],
  [-15, "ERR_FULL"],
  [-16, "ERR_NOT_NUMBER"],
  [-17, "ERR_OVERFLOW"],
  [-18, "ERR_OPTIONS"],
  [-19, "ERR_DUPLICATE_KEY"],
  [-20, "ERR_BATCH_SIZE"],
  [-21, "ERR_SNAPSHOT"],
  [-22, "ERR_WATCHER_CLOSED"],
  [-23, "ERR_LOCKED"],
  [-24, "ERR_CORRUPT"],
  [-25, "ERR_FORMAT_VERSION"],
  [-26, "ERR_ENCRYPTED"],
  [-27, "ERR_SPACE"],
  [-28, "ERR_READ_ONLY"],
  [-29, "ERR_STORAGE"],
]);

/** ABSENT is the engine's answer for a key that is not there: no error. */
export const ABSENT = -1;

/** INTERNAL and CLOSED are the codes of an error without one of its own, and of a closed store. */
export const INTERNAL = -2;
export const CLOSED = -11;

/** CONFLICT is the engine's code for a condition that does not hold. */
export const CONFLICT = -10;

/** IngotError is what this package throws. `code` is stable, the text is not. */
export class IngotError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}
IngotError.prototype.name = "IngotError";

/** codeOf translates the engine's number of an error into its stable name. */
export function codeOf(number) {
  return CODES.get(number) ?? "ERR_INTERNAL";
}

/** typeError is the refusal of an argument of the wrong type. */
export function typeError(what, wanted, got) {
  return new IngotError("ERR_TYPE", `${what} must be ${wanted}, not ${describe(got)}`);
}

function describe(value) {
  if (value === null) return "null";
  if (typeof value === "object") return `a ${value.constructor?.name ?? "object without a prototype"}`;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value;
}
