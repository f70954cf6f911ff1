// The tests that both TypeScript SDK clients pass. connect() starts a server
// and returns { client, callTool(params) }; it is closed by the test's end.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Bindings, assertMistake, contentOf, table, toolsCalled } from './harness.mjs';

/** Lists every page, which also gives the client the output schemas it validates by. */
async function listTools(client) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? undefined : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

export function sdkTests(name, connect) {
  describe(name, () => {
    test('every listed tool is called', async t => {
      const { client } = await connect(t);
      const tools = await listTools(client);
      assert.deepEqual(tools.map(tool => tool.name).sort(), toolsCalled(), 'left: listed by the server; right: called by calls.json');
      for (const tool of tools) {
        assert.ok(tool.description && tool.outputSchema && tool.annotations, tool.name);
      }
    });

    for (const script of table.scripts) {
      test(script.name, async t => {
        const { client, callTool } = await connect(t);
        await listTools(client);
        const bindings = new Bindings();
        for (const step of script.steps) {
          const result = await callTool({ name: step.tool, arguments: bindings.fill(step.arguments) });
          bindings.match(step.result, contentOf(result), step.tool);
        }
      });
    }

    test('mistakes name the argument', async t => {
      const { client, callTool } = await connect(t);
      await listTools(client);
      for (const mistake of table.mistakes) {
        assertMistake(await callTool({ name: mistake.tool, arguments: mistake.arguments }), mistake.names);
      }
      assert.deepEqual(contentOf(await callTool({ name: 'state_exists', arguments: { key: 'k' } })), { exists: false }, 'a refused call stored something');
    });

    test('an unknown tool is refused', async t => {
      const { callTool } = await connect(t);
      await assert.rejects(callTool({ name: 'state_gut', arguments: {} }), error => error.code === -32602 && error.message.includes('state_gut'));
      assert.deepEqual(contentOf(await callTool({ name: 'state_exists', arguments: { key: 'k' } })), { exists: false }, 'the server lives on');
    });

    test('200 calls at once each get their own answer', async t => {
      const { callTool } = await connect(t);
      const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
      await Promise.all(keys.map(key => callTool({ name: 'state_set', arguments: { key, value: `value of ${key}` } })));
      const results = await Promise.all(keys.map(key => callTool({ name: 'state_get', arguments: { key } })));
      assert.deepEqual(results.map(result => contentOf(result).value), keys.map(key => `value of ${key}`));
    });
  });
}
