import { IngotError, typeError } from "./errors.js";

// The bits of a write's flags; see docs/ABI.md.
const FLAG_TTL = 1;
const FLAG_KEEP_TTL = 2;
const FLAG_IF_VERSION = 4;
const FLAG_IF_ABSENT = 8;

const KINDS = { set: 1, delete: 2, increment: 3, expire: 4, check: 5 };
const KEY_TYPES = new Set(["string", "bytes"]);

/**
 * Conditions are the options of a write as the engine takes them: flags, and
 * the numbers that some flags announce.
 */
export class Conditions {
  flags = 0;
  version = 0;
  ttl = 0;

  /** ttlOption reads a time to live in milliseconds. */
  ttlOption(ttl) {
    if (ttl === undefined) return;
    this.ttl = ttlMillis(ttl);
    this.flags |= FLAG_TTL;
  }

  keepTtlOption(keep) {
    if (flag("keepTtl", keep)) this.flags |= FLAG_KEEP_TTL;
  }

  // Version 0 is how an absent key looks: as a condition it means just that.
  ifVersionOption(version) {
    if (version === undefined) return;
    this.version = versionNumber("ifVersion", version);
    this.flags |= version === 0 ? FLAG_IF_ABSENT : FLAG_IF_VERSION;
  }

  ifAbsentOption(absent) {
    if (flag("ifAbsent", absent)) this.flags |= FLAG_IF_ABSENT;
  }
}

/** setConditions reads the options of set. */
export function setConditions(options) {
  refuseUnknown(options, SET_OPTIONS, "set");
  const c = new Conditions();
  c.ttlOption(options.ttl);
  c.keepTtlOption(options.keepTtl);
  c.ifVersionOption(options.ifVersion);
  c.ifAbsentOption(options.ifAbsent);
  return c;
}

/** deleteConditions reads the options of delete. */
export function deleteConditions(options) {
  refuseUnknown(options, DELETE_OPTIONS, "delete");
  if (options.ifVersion === 0) {
    throw new IngotError("ERR_OPTIONS", "ifVersion of a delete must be 1 or more: version 0 is an absent key");
  }
  const c = new Conditions();
  c.ifVersionOption(options.ifVersion);
  return c;
}

/** operation reads an operation of a batch. */
export function operation(op) {
  if (typeof op !== "object" || op === null) throw typeError("an operation of a batch", "an object", op);
  const kind = Object.hasOwn(KINDS, op.op) ? KINDS[op.op] : 0;
  if (kind === 0) {
    throw new IngotError("ERR_OPTIONS", `an operation's op is "set", "delete", "increment", "expire" or "check", not ${JSON.stringify(op.op)}`);
  }
  refuseUnknown(op, OPERATION_OPTIONS[op.op], op.op);
  const conditions = new Conditions();
  conditions.ttlOption(op.op === "expire" ? (op.ttl ?? 0) : op.ttl);
  conditions.keepTtlOption(op.keepTtl);
  conditions.ifVersionOption(op.ifVersion);
  conditions.ifAbsentOption(op.ifAbsent);
  const delta = op.op === "increment" ? int64("delta", op.delta ?? 1) : 0n;
  return { kind, key: op.key, value: op.op === "set" ? op.value : "", delta, exact: typeof op.delta === "bigint", conditions };
}

/** refuseUnknown refuses misspelt options: an ignored condition is worse than an error. */
export function refuseUnknown(options, known, where) {
  if (typeof options !== "object" || options === null) throw typeError(`the options of ${where}`, "an object", options);
  for (const name in options) {
    if (!known.has(name)) {
      throw new IngotError("ERR_OPTIONS", `${where} has no option ${JSON.stringify(name)}; it has ${[...known].join(", ")}`);
    }
  }
}

/** ttlMillis checks a time to live: whole milliseconds, rounded up. */
export function ttlMillis(ttl) {
  if (typeof ttl !== "number") throw typeError("ttl", "a number of milliseconds", ttl);
  if (!(ttl >= 0 && ttl <= Number.MAX_SAFE_INTEGER)) {
    throw new IngotError("ERR_TTL", `ttl must be between 0 and 100 years in milliseconds, not ${ttl}`);
  }
  return Math.ceil(ttl);
}

/** versionNumber checks a version. */
export function versionNumber(what, version) {
  if (typeof version !== "number") throw typeError(what, "a version, which is a number", version);
  return wholeNumber(what, version, Number.MAX_SAFE_INTEGER);
}

/** wholeNumber checks a count or size. */
export function wholeNumber(what, number, max) {
  if (typeof number !== "number") throw typeError(what, "a number", number);
  if (!Number.isInteger(number) || number < 0 || number > max) {
    throw new IngotError("ERR_OPTIONS", `${what} must be a whole number from 0 to ${max}, not ${number}`);
  }
  return number;
}

/** int64 checks a signed step. */
export function int64(what, number) {
  if (typeof number === "bigint") {
    if (BigInt.asIntN(64, number) !== number) throw new IngotError("ERR_OVERFLOW", `${what} does not fit into 64 bits`);
    return number;
  }
  if (typeof number !== "number") throw typeError(what, "a whole number or a bigint", number);
  if (!Number.isSafeInteger(number)) throw new IngotError("ERR_OPTIONS", `${what} must be a safe whole number or a bigint, not ${number}`);
  return BigInt(number);
}

/** wantsBytes reads the option keyType. */
export function wantsBytes(keyType) {
  if (keyType !== undefined && !KEY_TYPES.has(keyType)) {
    throw new IngotError("ERR_OPTIONS", `keyType is "string" or "bytes", not ${JSON.stringify(keyType)}`);
  }
  return keyType === "bytes";
}

/** flag reads an option that is true or false. */
export function flag(what, value) {
  if (value !== undefined && typeof value !== "boolean") throw typeError(what, "true or false", value);
  return value === true;
}

const SET_OPTIONS = new Set(["ttl", "keepTtl", "ifVersion", "ifAbsent"]);
const DELETE_OPTIONS = new Set(["ifVersion"]);
const OPERATION_OPTIONS = {
  set: operationOptions("value", "ttl", "keepTtl"),
  delete: operationOptions(),
  increment: operationOptions("delta"),
  expire: operationOptions("ttl"),
  check: operationOptions(),
};

function operationOptions(...own) {
  return new Set(["op", "key", ...own, "ifVersion", "ifAbsent"]);
}
