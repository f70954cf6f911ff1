// bench-peers.mjs, which `make bench-js` runs: that every contestant does what is
// measured, on few keys. The figures mean nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "./project.mjs";

const SCRIPT = fileURLToPath(new URL("bench-peers.mjs", import.meta.url));

test("every contestant takes part, or is left out with a reason", async () => {
  const { stdout } = await run(process.execPath, ["--expose-gc", SCRIPT, "--rounds=2", "--warm=1", "--keys=1000"]);
  const { nanos, leftOut, rounds } = JSON.parse(stdout);
  assert.deepEqual(leftOut.map(({ name }) => name).filter((name) => name !== "node:sqlite"), ["better-sqlite3"]);
  const asked = ["ingot", "Map", "copying Map", "lmdb", "classic-level", "keyv", "sql.js"];
  for (const operation of ["get", "set"]) {
    for (const name of asked) assert.equal(nanos[operation][name]?.length, rounds, `${operation} of ${name}`);
  }
  for (const name of ["ingot", "lmdb", "classic-level", "keyv"]) assert.equal(nanos.many[name].length, rounds, name);
  assert.ok(Object.values(nanos).flatMap(Object.values).flat().every((time) => time > 0));
});

test("options that it cannot measure with are refused", async () => {
  for (const option of ["--rounds=0", "--keys=1500", "--unknown"]) {
    await assert.rejects(run(process.execPath, [SCRIPT, option]), { code: 1 });
  }
});
