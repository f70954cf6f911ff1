// A running `ingot serve` for the tests over HTTP and WebSocket.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import assert from 'node:assert/strict';

const dir = mkdtempSync(join(tmpdir(), 'ingot-clients-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const ingot = join(dir, 'ingot');
execFileSync('go', ['build', '-o', ingot, './cmd/ingot'], { cwd: resolve(import.meta.dirname, '../../..'), stdio: 'inherit' });

/** Starts a server with a state of its own, with further arguments. stop() ends it, which must be with 0. */
export async function serve(...more) {
  const server = spawn(ingot, ['serve', '--listen', '127.0.0.1:0', '--memory', ...more], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(server, 'exit');
  const stop = async () => {
    server.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  };
  for await (const line of createInterface({ input: server.stdout })) {
    const found = /MCP +(http:\S+)\/mcp/.exec(line);
    if (found) {
      server.stdout.resume();
      return { origin: found[1], stop };
    }
  }
  throw new Error('ingot serve ended before it said where it serves');
}
