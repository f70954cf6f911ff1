// Drives examples/everything with the TypeScript SDK's client, version 2.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { commandLine, fillIn, takeSteps } from './everything.mjs';
import { eras } from './eras.mjs';

const { transport, era, target } = commandLine();

const wires = {
  stdio: () => new StdioClientTransport({ command: target, args: ['--stdio'] }),
  http: () => new StreamableHTTPClientTransport(new URL(target)),
  sse: () => new SSEClientTransport(new URL(target)),
};

await takeSteps(eras[era], async () => {
  const mode = era === 'modern' ? { pin: eras.modern } : 'legacy';
  const client = new Client({ name: 'ts-v2', version: '1' }, { capabilities: { elicitation: {} }, versionNegotiation: { mode } });
  const updated = [];
  client.setRequestHandler('elicitation/create', fillIn);
  client.setNotificationHandler('notifications/resources/updated', message => void updated.push(message.params.uri));
  await client.connect(wires[transport]());
  return {
    client, updated,
    version: () => client.getNegotiatedProtocolVersion(),
    callTool: (params, options) => client.callTool(params, options),
    subscribe: async uri => {
      if (era === 'modern') {
        const subscription = await client.listen({ resourceSubscriptions: [uri] });
        return () => subscription.close();
      }
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
  };
});
