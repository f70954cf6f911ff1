// The echo server of bench/http on the TypeScript SDK, version 2: a transport per
// session for clients of the legacy era, the SDK's own handler for the modern one;
// JSON answers. It prints its address.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';

const sessions = new Map();

function newServer() {
  const server = new McpServer({ name: 'echo', version: '1' });
  server.registerTool('echo', { description: 'Answers the message.', inputSchema: z.object({ message: z.string() }) },
    ({ message }) => ({ content: [{ type: 'text', text: message }] }));
  return server;
}

async function begin() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID, enableJsonResponse: true,
    onsessioninitialized: id => sessions.set(id, transport),
    onsessionclosed: id => sessions.delete(id),
  });
  await newServer().connect(transport);
  return transport;
}

const modern = toNodeHandler(createMcpHandler(newServer));

const http = createServer(async (request, response) => {
  if (request.headers['mcp-protocol-version'] === '2026-07-28') return modern(request, response);
  const transport = sessions.get(request.headers['mcp-session-id']) ?? await begin();
  await transport.handleRequest(request, response);
});
http.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${http.address().port}`));
