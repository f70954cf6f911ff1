// Runs the official suite once and reads what it says.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import assert from 'node:assert/strict';
import { parse } from 'yaml';

const here = import.meta.dirname;
const root = resolve(here, '../..');
const suite = join(here, 'node_modules/@modelcontextprotocol/conformance');

const scratch = mkdtempSync(join(tmpdir(), 'ingot-official-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** The suite needs Node 22: this process's own, or the one in node_modules. */
function node22() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  const path = join(here, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin/node');
  assert.ok(existsSync(path), `the suite needs Node 22: run this with it, or npm install here on linux (no ${path})`);
  return path;
}

/** The server under test: INGOT_EVERYTHING, or one built for this process. */
function findOrBuild() {
  const named = process.env.INGOT_EVERYTHING;
  if (named) {
    assert.ok(existsSync(named), `INGOT_EVERYTHING names ${named}, which does not exist`);
    return resolve(named);
  }
  const path = join(scratch, 'everything');
  execFileSync('go', ['build', '-o', path, './examples/everything'], { cwd: root, stdio: 'inherit' });
  return path;
}

/**
 * Starts the server at a free port. Returns { url, stop }; stop() asks it to end,
 * and returns its exit code and all it wrote on stderr.
 */
export async function startServer() {
  const child = spawn(findOrBuild(), ['--http', '127.0.0.1:0'], { stdio: ['ignore', 'inherit', 'pipe'] });
  const log = [];
  const ended = new Promise(done => child.on('exit', code => done({ code, log })));
  const lines = createInterface({ input: child.stderr });
  const url = await new Promise((ready, fail) => {
    lines.on('line', line => {
      log.push(line);
      const address = /^serving (http:\S+)$/.exec(line);
      if (address) ready(address[1]);
    });
    ended.then(({ code }) => fail(new Error(`the server ended with ${code} before it served: ${log.join('\n')}`)));
  });
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { url, stop };
}

/** The names of the scenarios of a revision, required and not. */
export function scenariosOf(revision) {
  const set = parse(readFileSync(join(suite, 'requirements', `${revision}.yaml`), 'utf8'));
  const unscored = set.not_scored.filter(entry => entry.leg === 'server').map(entry => entry.scenario);
  return { required: set.server, unscored };
}

/** Runs the scenarios that the options choose; returns their checks by scenario. */
export async function runSuite(url, ...options) {
  const out = mkdtempSync(join(scratch, 'run-'));
  const args = [join(suite, 'dist/index.js'), 'server', '--url', url, ...options, '-o', out];
  const { stdout } = await new Promise(done => execFile(node22(), args, { maxBuffer: 1 << 28 }, (error, stdout, stderr) => done({ stdout: stdout + stderr })));
  const checks = new Map();
  for (const dir of readdirSync(out)) {
    const name = /^server-(.*)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(dir)?.[1];
    const file = join(out, dir, 'checks.json');
    if (name && existsSync(file)) checks.set(name, JSON.parse(readFileSync(file, 'utf8')));
  }
  assert.ok(checks.size > 0, `the suite ran nothing:\n${stdout}`);
  return { checks, stdout };
}

/** What the suite itself gets wrong; see the file. */
export class Baseline {
  #entries = parse(readFileSync(join(here, 'baseline.yml'), 'utf8'), { schema: 'failsafe' });
  #used = new Set();

  /** The entry that excuses a check, if there is one. */
  find(revision, scenario, check) {
    const entry = this.#entries.find(e => e.revision === revision && e.scenario === scenario && e.check === check.id && e.status === check.status);
    if (entry) this.#used.add(entry);
    return entry;
  }

  /** Entries that nothing matched. */
  stale() {
    return this.#entries.filter(entry => !this.#used.has(entry));
  }

  get entries() {
    return this.#entries;
  }
}
