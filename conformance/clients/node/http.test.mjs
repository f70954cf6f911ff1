// ingot serve driven by the TypeScript SDK clients over each transport that they
// have: streamable HTTP in both eras, HTTP+SSE, WebSocket (version 1 only).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SSEv1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import { Client as ClientV2, SSEClientTransport as SSEv2, StreamableHTTPClientTransport as StreamableV2 } from '@modelcontextprotocol/client';
import { WebSocket } from 'ws';
import { eras } from './harness.mjs';
import { sdkTests } from './sdk-tests.mjs';
import { serve } from './serve.mjs';

globalThis.WebSocket ??= WebSocket; // Node has it from 22 on

const connectBy = (makeClient, makeTransport, version) => async t => {
  const { origin, stop } = await serve();
  const client = makeClient();
  const errors = [];
  client.onerror = error => errors.push(error);
  const transport = makeTransport(origin);
  t.after(async () => {
    await transport.terminateSession?.();
    const before = [...errors]; // the end of a stream is an error to some
    await client.close();
    await stop();
    assert.deepEqual(before, []);
  });
  await client.connect(transport);
  if (version) {
    assert.equal(client.getNegotiatedProtocolVersion(), version);
  }
  return { client, transport, callTool: params => client.callTool(params) };
};

const v1 = () => new ClientV1({ name: 'ts-v1-test', version: '1' });
const v2 = mode => () => new ClientV2({ name: 'ts-v2-test', version: '1' }, { versionNegotiation: { mode } });
const at = (Transport, path) => origin => new Transport(new URL(origin.replace('http:', path === '/ws' ? 'ws:' : 'http:') + path));

sdkTests('TypeScript SDK 1, streamable HTTP', connectBy(v1, at(StreamableV1, '/mcp')));
sdkTests('TypeScript SDK 1, HTTP+SSE', connectBy(v1, at(SSEv1, '/sse')));
sdkTests('TypeScript SDK 1, WebSocket', connectBy(v1, at(WebSocketClientTransport, '/ws')));
sdkTests(`TypeScript SDK 2, streamable HTTP, ${eras.legacy}`, connectBy(v2('legacy'), at(StreamableV2, '/mcp'), eras.legacy));
sdkTests(`TypeScript SDK 2, streamable HTTP, ${eras.modern}`, connectBy(v2({ pin: eras.modern }), at(StreamableV2, '/mcp'), eras.modern));
sdkTests(`TypeScript SDK 2, HTTP+SSE`, connectBy(v2('legacy'), at(SSEv2, '/sse'), eras.legacy));

test('a legacy client has a session, a modern one has none', async t => {
  const legacy = await connectBy(v1, at(StreamableV1, '/mcp'))(t);
  assert.match(legacy.transport.sessionId, /^[A-Z2-7]{26,}$/);
  const modern = await connectBy(v2('auto'), at(StreamableV2, '/mcp'), eras.modern)(t);
  assert.equal(modern.transport.sessionId, undefined);
});
