// Stores that a tab keeps: persist "opfs" in workers, "idb" in workers and pages.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { openPage } from "./browser.mjs";

let browser;
before(async () => (browser = await openPage()));
after(() => browser.close());

// A page's store by the name `store`, opened with these options.
const opens = (page, options) => page.evaluate(async (options) => (window.store = await window.ingot.openWorker(options)) && undefined, options);

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

test("a second tab shares the store, never an empty one, and takes over when the first is gone", async () => {
  for (const persist of ["opfs", "idb"]) {
    const options = { persist, name: `shared-${persist}` };
    const [first, second] = [await browser.newPage(), await browser.newPage()];
    await first.evaluate(async (options) => {
      window.store = await window.ingot.openWorker(options);
      await window.store.setMany(Array.from({ length: 100 }, (_, i) => [`k${i}`, "v"]));
    }, options);
    assert.equal(await second.evaluate(async (options) => {
      window.store = await window.ingot.openWorker(options);
      await window.store.increment("n", 2);
      window.heard = [];
      const watcher = window.store.watch("w/");
      await watcher.ready();
      window.hearing = (async () => {
        for await (const { kind, key } of watcher) {
          window.heard.push(key === undefined ? kind : `${kind} ${key}`);
          if (window.heard.length === 3) return;
        }
      })();
      return (await window.store.stats()).keys;
    }, options), 101);
    await first.evaluate(async () => {
      await Promise.all([window.store.increment("n", 40), window.store.set("w/1", "v")]);
    });
    assert.equal(await second.evaluate(() => window.store.getString("n")), "42");
    assert.equal((await second.evaluate(() => window.ingot.open({ persist: "idb", name: "shared-idb" }).then(() => "open", ({ code }) => code))), persist === "idb" ? "ERR_LOCKED" : "open");
    await first.close(); // the owner is gone without a word
    const said = await second.evaluate(async () => {
      await window.store.get("k1"); // asked again of the next owner: then there is one
      await window.store.set("w/2", "v");
      await window.hearing;
      return { heard: window.heard, keys: (await window.store.stats()).keys, clean: (await window.store.logStats()).recovered.clean };
    });
    assert.deepEqual(said, { heard: ["set w/1", "reset", "set w/2"], keys: 103, clean: false });
    await second.evaluate(() => window.store.close());
    await second.close();
  }
});

test("an owner that closes its store hands it over, and nothing of the others fails", async () => {
  const options = { persist: "opfs", name: "handed" };
  const pages = await Promise.all([1, 2, 3].map(() => browser.newPage()));
  for (const page of pages) await opens(page, options);
  const writing = pages.slice(1).map((page) => page.evaluate(async () => {
    window.stop = false;
    let sum = 0;
    while (!window.stop) sum += (await Promise.all(Array.from({ length: 10 }, () => window.store.increment("n")))).length;
    return sum;
  }));
  for (let round = 0; round < 5; round++) {
    await pages[0].evaluate(async (options) => {
      await window.store.close();
      window.store = await window.ingot.openWorker(options);
      await window.store.set("alive", "yes");
    }, options);
  }
  await Promise.all(pages.slice(1).map((page) => page.evaluate(() => (window.stop = true))));
  const sums = await Promise.all(writing);
  assert.equal(Number(await pages[0].evaluate(() => window.store.getString("n"))), sums[0] + sums[1]);
  await Promise.all(pages.map((page) => page.close()));
});

test("tabs that open and close fast lose nothing that was acknowledged", async (t) => {
  const options = { persist: "opfs", name: "fast" };
  const acknowledged = new Map(); // keys
  let [increments, unknown, failures] = [0, 0, 0];
  // A tab that writes until it is closed; what it was told comes here as it is told.
  const tab = async (number) => {
    const page = await browser.newPage();
    await page.exposeFunction("told", (what) => {
      if (what.key !== undefined) acknowledged.set(what.key, what.value);
      else if (what.code === undefined) increments++;
      else if (what.code === "ERR_OWNER_CHANGED") unknown++;
      else failures++;
    });
    page.evaluate(async ({ options, number }) => {
      const store = await window.ingot.openWorker(options);
      for (let i = 0; ; i++) {
        await store.increment("count").then(() => window.told({}), ({ code }) => window.told({ code }));
        const [key, value] = [`${number}/${i}`, `v${i}`];
        await store.set(key, value).then(() => window.told({ key, value }), () => {});
      }
    }, { options, number }).catch(() => {}); // the page is closed
    return page;
  };
  let number = 0;
  for (let round = 0; round < 8; round++) {
    const before = acknowledged.size;
    const pages = await Promise.all(Array.from({ length: 2 + round % 2 }, () => tab(number++)));
    while (acknowledged.size < before + 3 + 7 * round) await new Promise((resolve) => setTimeout(resolve, 5));
    await Promise.all(pages.map((page, i) => (i === 0 && round % 3 === 0 ? page.reload().then(() => page.close()) : page.close())));
  }
  const page = await browser.newPage();
  await opens(page, options);
  const held = new Map(await page.evaluate(async () => {
    const all = [];
    for await (const [key, value] of window.store.entries()) all.push([key, new TextDecoder().decode(value)]);
    return all;
  }));
  await page.close();
  for (const [key, value] of acknowledged) assert.equal(held.get(key), value, key);
  const count = Number(held.get("count"));
  // A tab that was closed may have had one increment under way that it never heard of.
  assert.ok(count >= increments && count <= increments + unknown + number, `${increments} acknowledged, ${unknown} not known, ${number} tabs, and ${count} there`);
  assert.equal(failures, 0);
  t.diagnostic(`${number} tabs, ${acknowledged.size} keys and ${increments} increments acknowledged, 0 lost; ${unknown} were told that nobody knows`);
});

// runInWorker runs the text of an async function in a worker of the page's origin.
const runInWorker = (page, body) => page.evaluate((body) => new Promise((resolve, reject) => {
  const worker = new Worker("/conformance/page-worker.mjs", { type: "module" });
  worker.onmessage = ({ data }) => (data.error === undefined ? resolve(data.result) : reject(new Error(data.error)));
  worker.onerror = (event) => reject(new Error(event.message));
  window.worker = worker;
  worker.postMessage(body);
}), body);

test("a handle that is busy is another owner's, and is waited for a while", async () => {
  const page = await browser.newPage();
  const options = { persist: "opfs", name: "busy" };
  await opens(page, options);
  await page.evaluate(async () => {
    await window.store.set("k", "v");
    await window.store.close();
  });
  await runInWorker(page, { job: "hold", name: "busy", file: "map" });
  assert.equal(await page.evaluate((options) => window.ingot.openWorker(options).then(() => "open", ({ code }) => code), options), "ERR_LOCKED");
  const opening = opens(page, options);
  await page.evaluate(() => window.worker.terminate());
  await opening;
  assert.equal(await page.evaluate(() => window.store.getString("k")), "v");
  await page.close();
});

test("in a page, and beside an owner that does not share, there is a code", async () => {
  const page = await browser.newPage();
  const code = (options) => page.evaluate((options) => window.ingot.open(options).then(() => "open", ({ code }) => code), options);
  assert.equal(await code({ persist: "opfs", name: "in-a-page" }), "ERR_PERSIST_UNSUPPORTED");
  assert.equal(await code({ persist: "fs", name: "in-a-page" }), "ERR_PERSIST_UNSUPPORTED");
  const said = await page.evaluate(async () => {
    const options = { persist: "idb", name: "private" };
    const store = await window.ingot.open(options);
    store.set("k", "v");
    await Promise.all([store.flush(), store.flush()]);
    const codes = await Promise.all([window.ingot.open(options), window.ingot.openWorker(options)].map((opening) => opening.then(() => "open", ({ code }) => code)));
    await store.close();
    const again = await window.ingot.open(options);
    const value = again.getString("k");
    await again.close();
    return { codes, value };
  });
  assert.deepEqual(said, { codes: ["ERR_LOCKED", "ERR_LOCKED"], value: "v" });
  await page.close();
});

for (const persist of ["opfs", "idb"]) {
  test(`${persist}: a quota that is used up refuses writes, keeps what was written and is no end`, async (t) => {
    // A browser of its own: Chromium's IndexedDB goes by a quota that it has looked up
    // for half a minute.
    const { page, context, origin, close } = await openPage();
    t.after(close);
    const session = await context.newCDPSession(page);
    const quota = (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
    await quota(24 << 20);
    await opens(page, { persist, name: `full-${persist}` });
    await page.evaluate(() => window.store.set("first", "v"));
    const full = await page.evaluate(async () => {
      // IndexedDB compresses: bytes that look random do not get smaller (xorshift).
      window.noise = (seed) => {
        let x = seed + 1;
        return new Uint8Array(256 << 10).map(() => ((x ^= x << 13), (x ^= x >>> 17), (x ^= x << 5)));
      };
      const acknowledged = [];
      let code;
      for (let i = 0; code === undefined && i < 400; i++) {
        await window.store.set(`k${i}`, window.noise(i)).then(() => acknowledged.push(i), (error) => (code = error.code));
      }
      window.acknowledged = acknowledged;
      return { code, count: acknowledged.length, again: await window.store.set("again", new Uint8Array(1 << 20)).then(() => "stored", ({ code }) => code), read: String(await window.store.get("k3")) === String(window.noise(3)), first: await window.store.getString("first") };
    });
    assert.deepEqual({ ...full, count: full.count > 4 }, { code: "ERR_SPACE", count: true, again: "ERR_SPACE", read: true, first: "v" });
    await quota(400 << 20);
    const after = await page.evaluate(async (options) => {
      let code;
      do code = await window.store.set("room", "again").then(() => "stored", (error) => error.code);
      while (code === "ERR_SPACE"); // a write that is refused has the back end look for room
      await window.store.close();
      window.store = await window.ingot.openWorker(options);
      const values = await window.store.getMany(window.acknowledged.map((i) => `k${i}`));
      const whole = values.every((value, i) => String(value) === String(window.noise(i)));
      const room = await window.store.getString("room");
      await window.store.close();
      return { code, whole, room };
    }, { persist, name: `full-${persist}` });
    assert.deepEqual(after, { code: "stored", whole: true, room: "again" });
  });

  test(`${persist}: storage that is damaged, newer or cut off says so, or loses its tail`, async () => {
    const page = await browser.newPage();
    const name = `damaged-${persist}`;
    const reopen = () => page.evaluate(async (options) => {
      try {
        const store = await window.ingot.openWorker(options);
        const said = { keys: (await store.stats()).keys, torn: (await store.logStats()).recovered.tornBytes > 0 };
        await store.close();
        return said;
      } catch ({ code }) {
        return code;
      }
    }, { persist, name });
    await opens(page, { persist, name });
    await page.evaluate(async () => {
      for (let i = 0; i < 20; i++) await window.store.set(`k${i}`, "v".repeat(200));
      window.store = null; // the page is closed with the store open
    });
    await page.reload();
    await page.waitForFunction(() => window.ready === true);
    await runInWorker(page, { job: "tear", persist, name });
    assert.deepEqual(await reopen(), { keys: 19, torn: true });
    assert.deepEqual(await reopen(), { keys: 19, torn: false });
    await runInWorker(page, { job: "newer", persist, name });
    assert.equal(await reopen(), "ERR_FORMAT_VERSION");
    await runInWorker(page, { job: "older", persist, name });
    assert.deepEqual(await reopen(), { keys: 19, torn: false });
    await runInWorker(page, { job: "lose", persist, name });
    assert.equal(await reopen(), "ERR_CORRUPT");
    await page.close();
  });
}

test("an engine that traps in a shared store is opened anew, and its followers go on", async () => {
  const page = await browser.newPage();
  const said = await page.evaluate(async () => {
    const options = { persist: "opfs", name: "trapped" };
    const worker = new Worker("/conformance/page-trap.mjs", { type: "module" });
    const answers = new Map();
    worker.onmessage = ({ data }) => answers.get(data.id)(data);
    let id = 0;
    const ask = (...call) => new Promise((resolve) => {
      answers.set(id, ({ results, failures }) => resolve(failures.length > 0 ? failures[0][1].code : results[0]));
      worker.postMessage({ id: id++, calls: [call] });
    });
    await ask("open", options);
    const follower = await window.ingot.openWorker(options);
    await ask("set", "k", "v", { ttl: 1e9 });
    await follower.set("f", "v");
    worker.postMessage({ clock: "broken" });
    const trapped = await ask("getString", "k");
    worker.postMessage({ clock: "whole" });
    const after = [await follower.getString("k"), await follower.getString("f"), await ask("getString", "f")];
    const { clean, records } = (await follower.logStats()).recovered;
    await follower.close();
    await ask("close");
    return { trapped, after, clean, records };
  });
  assert.deepEqual(said, { trapped: "ERR_POISONED", after: ["v", "v", "v"], clean: false, records: 2 });
  await page.close();
});

/** killBrowser kills the processes that use a profile, which is a test's own. */
function killBrowser(profile) {
  for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(profile)) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It is gone already.
    }
  }
}

test("a browser that is killed while tabs write has what was acknowledged", async (t) => {
  const acknowledged = { opfs: -1, idb: -1 };
  let profile;
  for (let round = 0; round < 3; round++) {
    const killed = await openPage(profile);
    profile = killed.profile;
    await killed.page.exposeFunction("told", (persist, i) => (acknowledged[persist] = i));
    killed.page.evaluate(async () => {
      await Promise.all(["opfs", "idb"].map(async (persist) => {
        const store = await window.ingot.openWorker({ persist, name: `killed-${persist}` });
        for (let i = Number(await store.getString("a") ?? -1) + 1; ; i++) {
          await Promise.all([store.set("a", String(i)), store.set(`k${i}`, "v".repeat(i % 1000))]);
          await window.told(persist, i);
        }
      }));
    }).catch(() => {}); // it is killed
    const [opfs, idb] = [acknowledged.opfs + 30, acknowledged.idb + 20];
    while (acknowledged.opfs < opfs || acknowledged.idb < idb) await new Promise((resolve) => setTimeout(resolve, 5));
    killBrowser(profile);
    await killed.closed;
  }
  const again = await openPage(profile);
  t.after(again.close);
  for (const [persist, last] of Object.entries(acknowledged)) {
    const held = await again.page.evaluate(async ({ persist, last }) => {
      const store = await window.ingot.openWorker({ persist, name: `killed-${persist}` });
      const values = await store.getMany(Array.from({ length: last + 1 }, (_, i) => `k${i}`));
      return { a: Number(await store.getString("a")), whole: values.every((value, i) => value?.length === i % 1000) };
    }, { persist, last });
    assert.ok(held.a >= last, `${persist}: ${last} was acknowledged and ${held.a} is there`);
    assert.ok(held.whole, persist);
  }
  t.diagnostic(`3 kills; the last acknowledged: ${JSON.stringify(acknowledged)}`);
});
