// Drives examples/everything with the TypeScript SDK's client, version 1.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { commandLine, fillIn, takeSteps } from './everything.mjs';
import { eras } from './eras.mjs';

const { transport, era, target } = commandLine();

const wires = {
  stdio: () => new StdioClientTransport({ command: target, args: ['--stdio'] }),
  http: () => new StreamableHTTPClientTransport(new URL(target)),
  sse: () => new SSEClientTransport(new URL(target)),
  websocket: () => new WebSocketClientTransport(new URL(target)),
};

await takeSteps(eras[era], async () => {
  const client = new Client({ name: 'ts-v1', version: '1' }, { capabilities: { elicitation: {} } });
  const updated = [];
  client.setRequestHandler(ElicitRequestSchema, fillIn);
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, message => void updated.push(message.params.uri));
  let agreed;
  const wire = wires[transport]();
  const setVersion = wire.setProtocolVersion?.bind(wire);
  wire.setProtocolVersion = version => {
    agreed = version;
    setVersion?.(version);
  };
  await client.connect(wire);
  return {
    client, updated,
    version: () => agreed,
    callTool: (params, options) => client.callTool(params, undefined, options),
    subscribe: async uri => {
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
  };
});
