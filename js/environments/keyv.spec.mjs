// Keyv's own test suite on ingot-state/keyv, run by adapters.test.mjs in vitest. Its part
// for compression is about compressors, not adapters. Keyv iterates by itself only adapters
// whose names it knows: for that part it is given the iterator by its own method.
import { keyvApiTests, keyvIteratorTests, keyvNamespaceTest, keyvValueTests } from "@keyv/test-suite";
import Keyv from "keyv";
import * as vitest from "vitest";
import { KeyvIngot } from "../adapters/keyv.js";
import { open } from "../index.js";

const store = await open();
class IterableKeyv extends Keyv {
  constructor(options) {
    super(options);
    this.iterator = this.generateIterator(options.store.iterator.bind(options.store));
  }
}

for (const suite of [keyvApiTests, keyvNamespaceTest, keyvValueTests]) {
  vitest.describe(suite.name, () => suite(vitest, Keyv, () => new KeyvIngot(store)));
}
vitest.describe(keyvIteratorTests.name, () => keyvIteratorTests(vitest, IterableKeyv, () => new KeyvIngot(store)));
