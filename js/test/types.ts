// What the types must accept and, where a comment says so, must refuse.
// types.test.mjs runs tsc on it; it is never run itself.
import { IngotError, open, openWorker, type Entry, type ErrorCode, type Operation, type Page, type Store, type WatchEvent } from "ingot-state";
import { ToolError, loadTool, type ToolErrorCode, type ToolPolicy } from "ingot-state/tools";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_proof: Same<A, B>): void {}

async function accepted(store: Store): Promise<void> {
  const opened = await open({ name: "n", persist: false, maxBytes: 1, maxValueBytes: 2, evict: true, now: () => 0, wasm: new Uint8Array(0) });
  await open();
  await open({ persist: "fs", dir: "/tmp/x", sync: "interval", syncInterval: 5 });
  const { state, recovered: { tornBytes } } = store.logStats();
  same<typeof state, "ok" | "degraded" | "read-only">(true);
  same<typeof tornBytes, number>(true);
  await store.compact();

  const value = store.get("k");
  same<typeof value, Uint8Array | undefined>(true);
  const entry = store.getEntry(new Uint8Array(1));
  same<typeof entry, Entry | undefined>(true);
  const version: number = store.set("k", "v", { ttl: 1, keepTtl: true, ifVersion: 1, ifAbsent: false });
  store.set(new Uint8Array(1), new Uint8Array(1));
  const { swapped } = store.cas("k", version, "v");
  same<typeof swapped, boolean>(true);

  const small = store.increment("n");
  same<typeof small, number>(true);
  const large = store.increment("n", 1n);
  same<typeof large, bigint>(true);

  const versions: number[] = store.setMany([["a", "1"], ["b", new Uint8Array(1), { ttl: 5 }]]);
  store.setMany(new Map([["a", "1"]]));
  store.getMany(new Set(["a"]));
  store.deleteMany(versions.map(String));

  const page = store.list({ prefix: "a", limit: 1, values: true });
  same<typeof page, Page<"string">>(true);
  const key: string = page.entries[0]!.key;
  const bytes: Uint8Array | undefined = store.list({ keyType: "bytes" }).next;
  for (const each of store.keys("a")) same<typeof each, string>(true);
  for (const each of store.keys("a", { keyType: "bytes" })) same<typeof each, Uint8Array>(true);
  for (const [name, content] of store.entries()) same<[typeof name, typeof content], [string, Uint8Array]>(true);

  for await (const event of store.watch("a/")) {
    same<typeof event, WatchEvent<"string">>(true);
    if (event.kind === "lagged") console.log(event.lost);
    else if (event.kind === "set") console.log(event.key, event.value, event.expiresAt);
    else console.log(event.version);
  }
  const operations: Operation[] = [
    { op: "set", key: "a", value: "1", ttl: 5 },
    { op: "delete", key: "b", ifVersion: 4 },
    { op: "increment", key: "c", delta: 5n },
    { op: "expire", key: "d" },
    { op: "check", key: "e", ifAbsent: true },
  ];
  const [first] = store.batch(operations);
  console.log(first?.version, first?.existed, first?.number, key, bytes);

  await store.restore(await opened.snapshot());
  await store.restore([new Uint8Array(1)]);
  await store.close();

  try {
    store.tick();
  } catch (error) {
    if (error instanceof IngotError) same<typeof error.code, ErrorCode>(true);
  }
}

async function refused(store: Store): Promise<void> {
  // @ts-expect-error unknown option
  await open({ path: "/tmp" });
  // @ts-expect-error no such persistence
  await open({ persist: "disk" });
  // @ts-expect-error now must return a number
  await open({ now: () => "noon" });
  // @ts-expect-error keys are strings or bytes
  store.get(1);
  // @ts-expect-error values are strings or bytes
  store.set("k", 1);
  // @ts-expect-error values are strings or bytes
  store.set("k", { a: 1 });
  // @ts-expect-error misspelt option
  store.set("k", "v", { ifversion: 1 });
  // @ts-expect-error ifAbsent is no option of delete
  store.delete("k", { ifAbsent: true });
  // @ts-expect-error value is needed
  store.batch([{ op: "set", key: "k" }]);
  // @ts-expect-error value belongs to set
  store.batch([{ op: "delete", key: "k", value: "v" }]);
  // @ts-expect-error no such operation
  store.batch([{ op: "touch", key: "k" }]);
  // @ts-expect-error a value may be undefined
  store.get("k").length;
  // @ts-expect-error no such key type
  store.list({ keyType: "utf-8" });
  // @ts-expect-error only open() makes stores
  new (store.constructor as typeof Store)();
  // @ts-expect-error a lagged event has no key
  store.watch().poll().map((event) => event.key);
  // @ts-expect-error a snapshot is bytes
  await store.restore("INGOTSNP");
}

async function worker(): Promise<void> {
  const store = await openWorker({ persist: "opfs", name: "n", sync: "always" });
  const value = await store.get("k");
  same<typeof value, Uint8Array | undefined>(true);
  const [versions, sum] = await Promise.all([store.setMany([["a", "1"]]), store.increment("n", 1n)]);
  same<typeof versions, number[]>(true);
  same<typeof sum, bigint>(true);
  for await (const key of store.keys("", { keyType: "bytes" })) same<typeof key, Uint8Array>(true);
  for await (const event of store.watch("p/")) void event.kind;
  await store.close();
  // @ts-expect-error a clock cannot go to a worker
  await openWorker({ now: () => 0 });
  // @ts-expect-error a promise is no value
  store.get("k").length;
  // @ts-expect-error no such policy
  await openWorker({ persist: "fs", sync: "sometimes" });
}

void accepted;
void worker;
void refused;

async function tools(store: Store): Promise<void> {
  const policy: ToolPolicy = { state: [{ prefix: "a/", access: "read-write" }], http: [{ host: "example.org" }], clock: "real", limits: { fuel: 1 } };
  const tool = await loadTool(new Uint8Array(0), { policy, store, onLog: ({ text }) => void text.length });
  const { result, fuel } = await tool.call({ a: 1 }, { onProgress: ({ total }) => same<typeof total, number | undefined>(true) });
  same<typeof fuel, number>(true);
  void result["anything"];
  const code: ToolErrorCode = new ToolError("ERR_TOOL_FUEL", "text").code;
  void code;
  // @ts-expect-error a policy grants what it knows
  await loadTool("tool.wasm", { policy: { files: [] } });
  // @ts-expect-error access is a word
  await loadTool("tool.wasm", { policy: { state: [{ prefix: "a/", access: "all" }] } });
  // @ts-expect-error arguments are an object
  await tool.call("text");
}
void tools;
