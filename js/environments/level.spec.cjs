// abstract-level's own test suite on ingot-state/abstract-level, run by level.test.mjs
// where the packed package is installed. Left out, as the manifest says and the suite asks:
// snapshots (the engine has none that are read key by key), createIfMissing and errorIfExists
// (the store is there already), and getSync() on a worker's store (it cannot answer at once).
const suite = require("abstract-level/test");
const { open, openWorker } = require("ingot-state");
const { IngotLevel } = require("ingot-state/abstract-level");
const test = require("tape");

const OPENING = {
  memory: () => open(),
  fs: () => open({ persist: "fs", dir: "level-data", sync: "never" }),
  worker: () => openWorker(),
}[process.argv[2]];

OPENING().then((store) => {
  let count = 0; // each test has a database of its own
  suite({ test, factory: (options) => new IngotLevel(store, { base: `${count++}/`, ...options }) });
  test.onFinish(() => store.close());
});
