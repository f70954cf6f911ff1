// mcp-stdio driven by the TypeScript SDK client, version 2, in both eras.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { binary, eras } from './harness.mjs';
import { sdkTests } from './sdk-tests.mjs';

const connectBy = (mode, version) => async t => {
  const client = new Client({ name: 'ts-v2-test', version: '1' }, { versionNegotiation: { mode } });
  const errors = []; // see sdk-v1.test.mjs
  client.onerror = error => errors.push(error);
  t.after(async () => {
    await client.close();
    assert.deepEqual(errors, []);
  });
  await client.connect(new StdioClientTransport({ command: binary, stderr: 'inherit' }));
  assert.equal(client.getNegotiatedProtocolVersion(), version);
  return { client, callTool: params => client.callTool(params) };
};

sdkTests(`TypeScript SDK 2, ${eras.legacy}`, connectBy('legacy', eras.legacy));
sdkTests(`TypeScript SDK 2, ${eras.modern}`, connectBy({ pin: eras.modern }, eras.modern));

test('left to choose, the client finds the modern era', async t => {
  await connectBy('auto', eras.modern)(t);
});
