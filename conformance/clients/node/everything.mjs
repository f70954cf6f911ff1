// What the two drivers of TypeScript SDK clients share: the steps that each client
// takes against examples/everything. ../everything/doc.go says what a driver is.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const watched = 'test://watched-resource';

/** Reads the command line: transport, era, and a path (stdio) or a URL. */
export function commandLine() {
  const [transport, era, target] = process.argv.slice(2);
  assert.ok(['stdio', 'http', 'sse', 'websocket'].includes(transport) && ['legacy', 'modern'].includes(era) && target, 'usage: TRANSPORT ERA TARGET');
  return { transport, era, target };
}

/**
 * Takes the steps and prints a line of JSON for each. connect() returns { client,
 * version, callTool(params, options), subscribe(uri), updated } with updated an
 * array of the URIs that the client was told of.
 */
export async function takeSteps(version, connect) {
  let peer;
  await step('connect', async () => {
    peer = await connect();
    assert.equal(peer.version(), version);
  });
  if (!peer) return;
  for (const [name, run] of Object.entries(steps)) await step(name, () => run(peer));
  await step('close', () => peer.client.close());
}

async function step(name, run) {
  let error;
  try {
    await Promise.race([run(), sleep(20_000, null, { ref: false }).then(() => assert.fail('it took 20 seconds'))]);
  } catch (e) {
    error = e.stack ?? String(e);
  }
  console.log(JSON.stringify({ step: name, error }));
}

const textOf = result => result.content[0].text;

const until = async condition => {
  while (!(await condition())) await sleep(10);
};

const waiting = async peer => (await peer.callTool({ name: 'waiting', arguments: {} })).structuredContent.calls;

const steps = {
  async list({ client }) {
    const { tools } = await client.listTools();
    assert.ok(tools.some(tool => tool.name === 'echo') && tools.some(tool => tool.name === 'sum' && tool.outputSchema));
    const { resources } = await client.listResources();
    assert.ok(resources.some(resource => resource.uri === watched));
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.deepEqual(resourceTemplates.map(template => template.uriTemplate), ['test://template/{id}/data']);
    const { prompts } = await client.listPrompts();
    assert.ok(prompts.some(prompt => prompt.name === 'test_prompt_with_arguments' && prompt.arguments.length === 2));
  },
  async call({ callTool }) {
    assert.equal(textOf(await callTool({ name: 'echo', arguments: { message: 'héllo \u2028 ☃' } })), 'héllo \u2028 ☃');
    assert.deepEqual((await callTool({ name: 'sum', arguments: { terms: [1, 2.5] } })).structuredContent, { sum: 3.5 });
    const kinds = (await callTool({ name: 'test_multiple_content_types', arguments: {} })).content.map(block => block.type);
    assert.deepEqual(kinds, ['text', 'image', 'resource']);
    assert.equal((await callTool({ name: 'test_error_handling', arguments: {} })).isError, true);
    await assert.rejects(callTool({ name: 'no_such_tool', arguments: {} }), error => error.code === -32602);
  },
  async read({ client }) {
    const read = async uri => (await client.readResource({ uri })).contents[0];
    assert.match((await read('test://static-text')).text, /static text/);
    assert.equal(Buffer.from((await read('test://static-binary')).blob, 'base64').subarray(1, 4).toString(), 'PNG');
    assert.equal(JSON.parse((await read('test://template/a%20b/data')).text).id, 'a b');
    await assert.rejects(read('test://nothing'), error => error.code === -32602 || error.code === -32002);
  },
  async get({ client }) {
    const prompt = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } });
    assert.equal(prompt.messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'");
  },
  async complete({ client }) {
    const ref = { type: 'ref/prompt', name: 'test_prompt_with_arguments' };
    const { completion } = await client.complete({ ref, argument: { name: 'arg1', value: 'par' } });
    assert.deepEqual(completion.values, ['paris', 'park', 'party']);
  },
  async progress({ callTool }) {
    const reports = [];
    await callTool({ name: 'test_tool_with_progress', arguments: {} }, { onprogress: report => reports.push(report.progress) });
    assert.deepEqual(reports, [0, 50, 100]);
  },
  async ask({ callTool }) {
    const result = await callTool({ name: 'test_elicitation', arguments: { message: 'What?' } });
    assert.equal(textOf(result), 'User response: action=accept, content={"response":"What? This."}');
  },
  async subscribe(peer) {
    const end = await peer.subscribe(watched);
    await peer.callTool({ name: 'update_watched', arguments: { text: 'new' } });
    await until(() => peer.updated.includes(watched));
    await end();
  },
  async cancel(peer) {
    const controller = new AbortController();
    const call = peer.callTool({ name: 'wait', arguments: { seconds: 60 } }, { signal: controller.signal });
    call.catch(() => {}); // looked at below
    await until(async () => (await waiting(peer)) === 1);
    controller.abort();
    await assert.rejects(call);
    await until(async () => (await waiting(peer)) === 0);
  },
};

/** Answers the form of test_elicitation. */
export const fillIn = request => ({ action: 'accept', content: { response: `${request.params.message} This.` } });
