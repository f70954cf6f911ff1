// mcp-stdio driven by the command line of the MCP Inspector, in both eras.
// Each command starts a server of its own, so only steps that are "alone" are
// made here; the SDK clients make all of them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Bindings, assertMistake, binary, contentOf, eras, table, toolsCalled } from './harness.mjs';

const program = join(import.meta.dirname, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
const home = mkdtempSync(join(tmpdir(), 'ingot-inspector-')); // it keeps files in the home directory
after(() => rmSync(home, { recursive: true, force: true }));

/** Runs one command and returns { code, stdout, stderr }. */
function inspect(era, ...args) {
  return new Promise(resolve => {
    execFile(process.execPath, [program, '--cli', '--protocol-era', era, '--format', 'json', ...args, binary],
      { env: { ...process.env, HOME: home, USERPROFILE: home } },
      (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
  });
}

async function resultOf(era, ...args) {
  const { code, stdout, stderr } = await inspect(era, ...args);
  assert.equal(code, 0, stderr || stdout);
  return JSON.parse(stdout).result;
}

function callArguments(tool, args) {
  return ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)];
}

// One step for each tool: the first that is alone.
const steps = toolsCalled().map(tool =>
  table.scripts.flatMap(script => script.steps).find(step => step.tool === tool && step.alone));

for (const era of Object.keys(eras)) {
  describe(`inspector, ${era}`, () => {
    test('tools/list names every tool and its schemas are portable', async () => {
      // --strict ends with 6 when a schema has a fault, and says so on stderr.
      const { code, stdout, stderr } = await inspect(era, '--method', 'tools/list', '--strict');
      assert.equal(code, 0, stderr || stdout);
      assert.deepEqual(JSON.parse(stdout).result.tools.map(tool => tool.name).sort(), toolsCalled());
    });

    test('every tool has a step that is alone', () => assert.ok(steps.every(Boolean)));

    test('a mistake is a tool error that names the argument', async () => {
      const mistake = table.mistakes[0];
      const { code, stdout } = await inspect(era, ...callArguments(mistake.tool, mistake.arguments));
      assert.equal(code, 5, 'the exit code for isError');
      assertMistake(JSON.parse(stdout).result, mistake.names);
    });

    for (const step of steps) {
      test(step.tool, async () => {
        new Bindings().match(step.result, contentOf(await resultOf(era, ...callArguments(step.tool, step.arguments))));
      });
    }
  });
}
