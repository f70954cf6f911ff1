// What runs in Node, under Node 22 too: the conformance scripts, the package's own tests
// and those of the packed package. The suites themselves run under the Node that is there.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "./project.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const node22 = here(`node22/node_modules/node-${process.platform}-${process.arch}/bin/node`);
const version = await run(node22, ["--version"]).then(({ stdout }) => stdout.trim(), () => undefined);
const skip = version === undefined ? `npm has no Node 22 for ${process.platform} on ${process.arch} that is installed without a script` : false;

// These two are about files and types, which no Node changes; the first builds the package anew.
const SAME_IN_ALL = new Set(["package.test.mjs", "types.test.mjs"]);
const own = (await readdir(here("../test"))).filter((name) => name.endsWith(".test.mjs") && !SAME_IN_ALL.has(name));

const PARTS = {
  "the conformance scripts": ["../../conformance/node.test.mjs", "../../conformance/snapshot.test.mjs"],
  "the package's tests": own.map((name) => `../test/${name}`),
  "the packed package": ["node.test.mjs"],
};

for (const [what, files] of Object.entries(PARTS)) {
  test(`Node 22: ${what}`, { skip }, async () => {
    assert.match(version, /^v22\./);
    const env = { ...process.env };
    delete env.NODE_TEST_CONTEXT; // with it, Node takes this for a test within this one
    const args = ["--test", "--test-reporter=tap", "--test-skip-pattern=/^(TypeScript|are the types)/", ...files.map(here)];
    const { stdout } = await run(node22, args, { cwd: here("."), env, maxBuffer: 64 << 20 }).catch((error) => assert.fail(error.stdout + error.stderr));
    const [pass, fail] = ["pass", "fail"].map((count) => Number(new RegExp(`^# ${count} (\\d+)$`, "m").exec(stdout)?.[1]));
    assert.equal(fail, 0);
    assert.ok(pass >= 2 * files.length, `it has only ${pass} tests`);
  });
}
