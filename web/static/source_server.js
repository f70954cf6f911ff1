// The state of the connected server, through its MCP tools.

import { McpError } from "./mcp.js";
import { ConflictError } from "./problems.js";
import { base64Of, bytesOfBase64, bytesOfText, hexOf, previewBytesMax, textOf } from "./value.js";

const listLimitMax = 1000; // the tool's own

export class ServerSource {
  #client;
  #previews = new Map(); // key -> { version, value } of the page shown last

  constructor(client) {
    this.#client = client;
  }

  async page({ prefix, cursor, limit }) {
    const args = { limit };
    if (prefix) args.prefix = prefix;
    if (cursor) args.cursor = cursor;
    const { entries, next_cursor: next } = await this.#client.call("state_list", args);
    const rows = entries.map(rowOf);
    await this.#addPreviews(rows);
    return { entries: rows, next: next ?? null };
  }

  /** Keys with what is known of them without their values; max of them, about. */
  async keys({ prefix = "", max }) {
    const rows = [];
    let next;
    do {
      const args = { limit: Math.min(max - rows.length, listLimitMax) };
      if (prefix) args.prefix = prefix;
      if (next) args.cursor = next;
      const page = await this.#client.call("state_list", args);
      rows.push(...page.entries.map(rowOf));
      next = page.next_cursor;
    } while (next && rows.length < max);
    return { entries: rows, complete: !next };
  }

  async getMany(keys) {
    if (keys.length === 0) return [];
    const { entries } = await this.#client.call("state_batch_get", { keys });
    return entries.map((e) => (e.found ? { key: e.key, value: valueOf(e), version: e.version, deadline: deadlineOf(e.ttl_seconds) } : null));
  }

  async setMany(entries) {
    await this.#client.call("state_batch_set", {
      entries: entries.map(({ key, value, ttlSeconds }) => ({ key, ...valueArguments(value), ...(ttlSeconds ? { ttl_seconds: ttlSeconds } : {}) })),
    });
  }

  /** There is no tool for it: the same value is stored anew, unless it changed meanwhile. */
  async expire(key, ttlSeconds) {
    const found = await this.get(key);
    if (found === null) throw new ConflictError(key, 0);
    return this.set(key, found.value, { ttlSeconds, ifVersion: found.version });
  }

  async get(key) {
    const found = await this.#client.call("state_get", { key });
    if (!found.found) return null;
    return { value: valueOf(found), version: found.version, deadline: deadlineOf(found.ttl_seconds) };
  }

  async set(key, value, { ttlSeconds, ifVersion, ifAbsent } = {}) {
    const args = { key, ...valueArguments(value) };
    if (ttlSeconds) args.ttl_seconds = ttlSeconds;
    if (ifVersion) args.if_version = ifVersion;
    if (ifAbsent) args.if_absent = true;
    const { stored, version } = await this.#client.call("state_set", args);
    if (!stored) throw new ConflictError(key, version);
    return version;
  }

  async remove(key, { ifVersion } = {}) {
    const args = ifVersion ? { key, if_version: ifVersion } : { key };
    const { deleted, version } = await this.#client.call("state_delete", args);
    if (!deleted && version !== 0) throw new ConflictError(key, version);
    return deleted;
  }

  /** Fills in short values; those that did not change since the last page are not asked for again. */
  async #addPreviews(rows) {
    const kept = new Map();
    const wanted = [];
    for (const row of rows) {
      const known = row.readOnly ? undefined : this.#previews.get(row.key);
      if (known?.version === row.version) kept.set(row.key, known);
      else if (row.size <= previewBytesMax && !row.readOnly) wanted.push(row.key);
    }
    if (wanted.length > 0) {
      const { entries } = await this.#client.call("state_batch_get", { keys: wanted });
      for (const e of entries) if (e.found) kept.set(e.key, { version: e.version, value: valueOf(e) });
    }
    this.#previews = kept;
    for (const row of rows) {
      const known = kept.get(row.key);
      if (known?.version === row.version && !row.readOnly) row.value = known.value; // a newer one comes with the next page
    }
  }
}

/** An entry of state_list as a row. The tools take text keys only, so others are just shown. */
function rowOf({ key, key_base64: bytes, version, size, ttl_seconds: ttlSeconds }) {
  const name = bytes === undefined ? { key } : { key: hexOf(bytesOfBase64(bytes)), readOnly: true };
  return { ...name, version, size, deadline: deadlineOf(ttlSeconds), value: null };
}

function valueArguments(value) {
  const text = textOf(value);
  return text === null ? { value_base64: base64Of(value) } : { value: text };
}

const deadlineOf = (ttlSeconds) => (ttlSeconds === undefined ? null : Date.now() + ttlSeconds * 1000);

function valueOf(found) {
  if (found.value !== undefined) return bytesOfText(found.value);
  if (found.value_base64 !== undefined) return bytesOfBase64(found.value_base64);
  throw new McpError("protocol", "The server sent an entry without a value.");
}
