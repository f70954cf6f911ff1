// Drives examples/everything with the TypeScript SDK's client, version 1.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { commandLine, fillIn, takeSteps } from './everything.mjs';
import { eras } from './eras.mjs';

const { transport, era, target } = commandLine();

await takeSteps(eras[era], async () => {
  const client = new Client({ name: 'ts-v1', version: '1' }, { capabilities: { elicitation: {} } });
  const updated = [];
  client.setRequestHandler(ElicitRequestSchema, fillIn);
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, message => void updated.push(message.params.uri));
  let agreed;
  const wire = transport === 'http' ? new StreamableHTTPClientTransport(new URL(target)) : new StdioClientTransport({ command: target, args: ['--stdio'] });
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
