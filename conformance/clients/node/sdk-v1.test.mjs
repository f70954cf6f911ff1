// mcp-stdio driven by the TypeScript SDK client, version 1 (2025-11-25).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { binary } from './harness.mjs';
import { sdkTests } from './sdk-tests.mjs';

async function connect(t) {
  const client = new Client({ name: 'ts-v1-test', version: '1' });
  // What the client cannot read (a banner on stdout, say) arrives here only.
  const errors = [];
  client.onerror = error => errors.push(error);
  t.after(async () => {
    await client.close();
    assert.deepEqual(errors, []);
  });
  await client.connect(new StdioClientTransport({ command: binary, stderr: 'inherit' }));
  return { client, callTool: params => client.callTool(params) };
}

sdkTests('TypeScript SDK 1', connect);

test('ping', async t => {
  const { client } = await connect(t);
  assert.deepEqual(await client.ping(), {});
});
