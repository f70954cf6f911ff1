// What adapters.test.mjs gives to tsc: the adapters are what the libraries' own types ask for.
import Keyv, { type KeyvStoreAdapter } from "keyv";
import { type Driver, createStorage } from "unstorage";
import { KeyvIngot } from "../adapters/keyv.js";
import { ingotDriver } from "../adapters/unstorage.js";
import { open, openWorker } from "../index.js";

export const adapter: KeyvStoreAdapter = new KeyvIngot(await open());
export const keyvs = [new Keyv({ store: adapter, namespace: "a" }), new Keyv(new KeyvIngot(await openWorker()))];
export const driver: Driver<{ base: string }> = ingotDriver({ store: await open(), base: "a:" });
export const storage = createStorage<number>({ driver: ingotDriver({ store: await openWorker() }) });
const { ttl, size } = (await ingotDriver({ store: await open() }).getMeta("a")) ?? {};
export const numbers: (number | undefined)[] = [ttl, size];

// @ts-expect-error a store is wanted, not where one would be
new KeyvIngot("./directory");
// @ts-expect-error the store is missing
ingotDriver({ base: "a:" });
// @ts-expect-error a driver stores text
ingotDriver({ store: await open() }).setItem("a", 1);
