// Stores that a tab keeps: persist "opfs" in workers, "idb" in workers and pages.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage } from "./browser.mjs";

let browser;
before(async () => (browser = await openPage()));
after(() => browser.close());

for (const persist of ["opfs", "idb"]) {
  test(`${persist}: a store is there again after the page has gone`, async () => {
    const page = await browser.newPage();
    const name = `again-${persist}`;
    const before = await page.evaluate(async ({ persist, name }) => {
      const store = await window.ingot.openWorker({ persist, name });
      await Promise.all(Array.from({ length: 500 }, (_, i) => store.set(`k${i}`, "v".repeat(i))));
      await store.delete("k7");
      await store.increment("n", 42);
      await store.compact();
      await store.set("late", "after the compaction");
      const said = { stats: await store.stats(), log: await store.logStats() };
      await store.close();
      return said;
    }, { persist, name });
    assert.equal(before.log.compactions, 1);
    assert.ok(before.log.syncs <= 12, `${before.log.syncs} syncs`);
    await page.reload();
    await page.waitForFunction(() => window.ready === true);
    const now = await page.evaluate(async ({ persist, name }) => {
      const store = await window.ingot.openWorker({ persist, name });
      const said = { stats: await store.stats(), log: await store.logStats(), n: await store.getString("n"), late: await store.getString("late"), k300: (await store.get("k300")).length };
      await store.close();
      return said;
    }, { persist, name });
    assert.equal(now.stats.keys, 501);
    assert.equal(now.stats.version, before.stats.version);
    assert.deepEqual([now.n, now.late, now.k300, now.log.recovered.clean], ["42", "after the compaction", 300, true]);
    await page.close();
  });
}
