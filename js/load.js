import { IngotError, typeError } from "./errors.js";

/**
 * loadModule compiles the engine.
 * @param {WebAssembly.Module | ArrayBuffer | Uint8Array | URL | string | Response} source
 * @returns {Promise<WebAssembly.Module>}
 */
export async function loadModule(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return compileBytes(source);
  if (typeof Response !== "undefined" && source instanceof Response) return compileResponse(source);
  if (typeof source === "string" || source instanceof URL) return compileUrl(source);
  throw typeError("wasm", "a WebAssembly.Module, bytes, a URL or a Response", source);
}

async function compileBytes(bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new IngotError("ERR_WASM", `the engine's file is not valid WebAssembly: it is truncated or another file (${cause.message})`, { cause });
  }
}

async function compileUrl(source) {
  const url = toUrl(source);
  const fs = url.protocol === "file:" ? globalThis.process?.getBuiltinModule?.("node:fs") : undefined;
  try {
    if (fs !== undefined) return await compileBytes(await fs.promises.readFile(url));
    return await compileResponse(await fetch(url));
  } catch (cause) {
    if (cause instanceof IngotError) throw cause;
    throw new IngotError("ERR_WASM_LOAD", `the engine cannot be read from ${url}: ${cause.message}`, { cause });
  }
}

function toUrl(source) {
  try {
    return new URL(source, globalThis.location?.href ?? import.meta.url);
  } catch (cause) {
    throw new IngotError("ERR_WASM_LOAD", `${JSON.stringify(source)} is not a URL`, { cause });
  }
}

async function compileResponse(response) {
  if (!response.ok) {
    throw new IngotError("ERR_WASM_LOAD", `the engine cannot be fetched from ${response.url}: the answer is ${response.status} ${response.statusText}`);
  }
  // Streaming compiles while it loads, but only a right media type lets it.
  const type = response.headers.get("content-type") ?? "";
  if (!/^application\/wasm\s*$/i.test(type)) return compileBytes(await response.arrayBuffer());
  try {
    return await WebAssembly.compileStreaming(response);
  } catch (cause) {
    throw new IngotError("ERR_WASM", `${response.url} is not valid WebAssembly: it is truncated or another file (${cause.message})`, { cause });
  }
}
