// examples/js-mcp-server, on the npm package as it is packed, driven by both
// TypeScript SDK clients over stdio.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { pathToFileURL } from 'node:url';
import { contentOf, eras } from './harness.mjs';
import { sdkTests } from './sdk-tests.mjs';

const root = resolve(import.meta.dirname, '../../..');
const dir = mkdtempSync(join(tmpdir(), 'ingot-npm-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const server = join(dir, 'server.mjs');
install();

function install() {
  assert.ok(existsSync(join(root, 'js/dist/mcp.wasm')), 'js/dist/mcp.wasm is missing: run make wasm');
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], { cwd: join(root, 'js'), stdio: ['ignore', 'pipe', 'ignore'] });
  const installed = join(dir, 'node_modules/ingot-state');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['xzf', join(dir, JSON.parse(packed)[0].filename), '-C', installed, '--strip-components=1']);
  cpSync(join(root, 'examples/js-mcp-server'), dir, { recursive: true });
}

const command = (...args) => ({ command: process.execPath, args: [server, ...args], stderr: 'inherit' });

/** Connects a client and has it closed by the test's end; see sdk-v1.test.mjs for its errors. */
async function connected(t, client, transport) {
  const errors = [];
  client.onerror = error => errors.push(error);
  t.after(async () => {
    await client.close();
    assert.deepEqual(errors, []);
  });
  await client.connect(transport);
  return { client, callTool: params => client.callTool(params) };
}

const connectV1 = (t, ...args) => connected(t, new ClientV1({ name: 'ts-v1-test', version: '1' }), new StdioV1(command(...args)));

const connectV2 = (mode, version) => async t => {
  const both = await connected(t, new Client({ name: 'ts-v2-test', version: '1' }, { versionNegotiation: { mode } }), new StdioClientTransport(command()));
  assert.equal(both.client.getNegotiatedProtocolVersion(), version);
  return both;
};

sdkTests('npm package, TypeScript SDK 1', t => connectV1(t));
sdkTests(`npm package, TypeScript SDK 2, ${eras.legacy}`, connectV2('legacy', eras.legacy));
sdkTests(`npm package, TypeScript SDK 2, ${eras.modern}`, connectV2({ pin: eras.modern }, eras.modern));

/** Serves a store of this process over a transport of the SDK's own, and connects the client to its other end. */
const connectInProcess = async t => {
  const { open } = await import(pathToFileURL(join(dir, 'node_modules/ingot-state/index.js')));
  const { serve } = await import(pathToFileURL(join(dir, 'node_modules/ingot-state/mcp/index.js')));
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const served = await serve(await open(), theirs);
  t.after(() => served.close());
  return connected(t, new ClientV1({ name: 'ts-v1-test', version: '1' }), ours);
};

sdkTests("npm package, in memory over the SDK's transport", connectInProcess);

test('it says who it is', async t => {
  const { client } = await connectV1(t);
  assert.deepEqual(client.getServerVersion(), { name: 'js-mcp-server', version: '1.0.0' });
  assert.match(client.getInstructions(), /notes/);
});

test('a client hears of changes of the resources it listens to', async t => {
  const { client, callTool } = await connectV1(t);
  const heard = new Promise(heard => client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => heard(params.uri)));
  await client.subscribeResource({ uri: 'state:///notes/today' });
  await callTool({ name: 'state_set', arguments: { key: 'notes/today', value: 'rain' } });
  assert.equal(await heard, 'state:///notes/today');
  const { contents } = await client.readResource({ uri: 'state:///notes/today' });
  assert.equal(contents[0].text, 'rain');
});

test('a wait is over when the key changes, or its time is', async t => {
  const { callTool } = await connectV1(t);
  const [waited] = await Promise.all([
    callTool({ name: 'state_wait', arguments: { key: 'k', version: 0, timeout_seconds: 3600 } }),
    callTool({ name: 'state_set', arguments: { key: 'k', value: 'v' } }),
  ]);
  assert.equal(contentOf(waited).value, 'v');
  const over = await callTool({ name: 'state_wait', arguments: { key: 'k', version: contentOf(waited).version, timeout_seconds: 0.01 } });
  assert.equal(contentOf(over).changed, false);
});

test('what it answered is there when it is started again', async t => {
  const data = join(dir, 'data');
  const first = await connectV1(t, data);
  await first.callTool({ name: 'state_set', arguments: { key: 'kept', value: 'yes' } });
  await first.client.close();
  const second = await connectV1(t, data);
  assert.equal(contentOf(await second.callTool({ name: 'state_get', arguments: { key: 'kept' } })).value, 'yes');
});

// A raw client: the SDK's would ask a killed server for its end.
async function increments(data, killAfter) {
  const child = spawn(process.execPath, [server, data], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const _meta = { 'io.modelcontextprotocol/protocolVersion': eras.modern, 'io.modelcontextprotocol/clientCapabilities': {} };
  const answered = [];
  const kill = () => child.kill('SIGKILL');
  for (let id = 1; ; id++) {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'state_increment', arguments: { key: 'n' }, _meta } })}\n`, () => {});
    if (id === killAfter) setImmediate(kill); // in the middle of the call, or just behind it
    const { value, done } = await lines.next();
    if (done) break;
    answered.push(JSON.parse(value).result.structuredContent.value);
  }
  await ended;
  return answered;
}

test('nothing that it answered is lost when it is killed', async () => {
  const data = join(dir, 'killed');
  let last = 0;
  for (let round = 0; round < 10; round++) {
    const answered = await increments(data, 5 + 3 * round);
    assert.ok(answered.length >= 4 + 3 * round, `round ${round}: ${answered.length} answers`);
    assert.ok(answered[0] === last + 1 || answered[0] === last + 2, `round ${round}: ${last} was answered, and then ${answered[0]}`); // one may be kept and not answered
    last = answered.at(-1);
  }
});
