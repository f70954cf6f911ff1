// What the Node clients share: the built server, and the table of calls that
// every client (Go and Node) makes. ../harness/doc.go says how to read it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import assert from 'node:assert/strict';

const root = resolve(import.meta.dirname, '../../..');

export { eras } from './eras.mjs';

export const table = JSON.parse(readFileSync(resolve(import.meta.dirname, '../calls.json'), 'utf8'));

/** The names of the tools that the scripts call, sorted. */
export function toolsCalled() {
  return [...new Set(table.scripts.flatMap(script => script.steps.map(step => step.tool)))].sort();
}

const dir = mkdtempSync(join(tmpdir(), 'ingot-clients-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

/**
 * The path of the server under test: INGOT_MCP_STDIO, or one built for this process,
 * behind a script that keeps its state in memory. (A client of an SDK hands on few
 * variables, and the inspector takes options for its own.)
 */
export const binary = inMemory(findOrBuild());

function inMemory(path) {
  const script = join(dir, 'mcp-stdio-in-memory');
  writeFileSync(script, `#!/bin/sh\nexec '${path}' --memory "$@"\n`, { mode: 0o755 });
  return script;
}

function findOrBuild() {
  const named = process.env.INGOT_MCP_STDIO;
  if (named) {
    assert.ok(existsSync(named), `INGOT_MCP_STDIO names ${named}, which does not exist`);
    return resolve(named);
  }
  const dir = mkdtempSync(join(tmpdir(), 'ingot-clients-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'mcp-stdio');
  execFileSync('go', ['build', '-o', path, './cmd/mcp-stdio'], { cwd: root, stdio: 'inherit' });
  return path;
}

/** Returns the structured content of a result, whose text must be the same JSON. */
export function contentOf(result) {
  const text = onlyText(result);
  assert.ok(!result.isError, text);
  assert.deepEqual(JSON.parse(text), result.structuredContent, 'structuredContent and its text differ');
  return result.structuredContent;
}

/** Checks that a result is an error whose text holds the word. */
export function assertMistake(result, word) {
  const text = onlyText(result);
  assert.equal(result.isError, true, text);
  assert.ok(text.includes(word), `${JSON.stringify(text)} does not name ${word}`);
}

function onlyText(result) {
  assert.equal(result.content?.length, 1);
  assert.equal(result.content[0].type, 'text');
  return result.content[0].text;
}

/** The values that a script's "$name" stand for so far. */
export class Bindings {
  #values = new Map();
  #highest = 0;

  /** Returns the arguments with every "$name" replaced by its value. */
  fill(value) {
    if (Array.isArray(value)) return value.map(element => this.fill(element));
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.fill(member)]));
    }
    if (typeof value !== 'string' || !value.startsWith('$')) return value;
    assert.ok(this.#values.has(value), `${value} is used before it is bound`);
    return this.#values.get(value);
  }

  /** Compares got with the pattern want and binds what want names. */
  match(want, got, at = 'result') {
    if (typeof want === 'string' && want.startsWith('$')) return this.#matchPattern(want, got, at);
    if (want === null || typeof want !== 'object') return assert.deepEqual(got, want, `${at}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
    assert.equal(typeof got, 'object', at);
    assert.equal(Array.isArray(got), Array.isArray(want), at);
    const names = Array.isArray(want) ? Object.keys(want) : Object.keys(want).sort();
    assert.deepEqual(Object.keys(got).sort(), [...names].sort(), `${at}: got ${JSON.stringify(got)}`);
    for (const name of names) this.match(want[name], got[name], `${at}.${name}`);
  }

  #matchPattern(pattern, got, at) {
    const range = /^\$(\d+)\.\.(\d+)$/.exec(pattern);
    if (range) {
      assert.ok(Number.isInteger(got) && got >= Number(range[1]) && got <= Number(range[2]), `${at}: got ${JSON.stringify(got)}, want ${pattern}`);
    } else if (this.#values.has(pattern)) {
      assert.equal(got, this.#values.get(pattern), `${at}: ${pattern}`);
    } else {
      this.#bind(pattern, got, at);
    }
  }

  #bind(pattern, got, at) {
    if (typeof got === 'number') {
      assert.ok(got > this.#highest, `${at}: ${pattern} is ${got}, want a version above ${this.#highest}`);
      this.#highest = got;
    } else {
      assert.ok(typeof got === 'string' && got !== '', `${at}: ${pattern} is ${JSON.stringify(got)}, want a number or a string`);
    }
    this.#values.set(pattern, got);
  }
}
