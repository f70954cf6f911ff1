// The echo server of bench/mcp on the TypeScript SDK, version 1.
// zod is the newest that the SDK accepts: 4.4.3 made this server three times slower.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'echo', version: '1' });
server.registerTool(
  'echo',
  { description: 'Answers the message.', inputSchema: { message: z.string() } },
  ({ message }) => ({ content: [{ type: 'text', text: message }] }),
);
await server.connect(new StdioServerTransport());
