// Keyv's own test suite on ingot-state/keyv, run by adapters.test.mjs in vitest. Of its
// parts the one for iterators is left out: Keyv iterates only adapters whose names it knows.
import { keyvApiTests, keyvNamespaceTest, keyvValueTests } from "@keyv/test-suite";
import Keyv from "keyv";
import * as vitest from "vitest";
import { KeyvIngot } from "../adapters/keyv.js";
import { open } from "../index.js";

const store = await open();
for (const suite of [keyvApiTests, keyvNamespaceTest, keyvValueTests]) {
  vitest.describe(suite.name, () => suite(vitest, Keyv, () => new KeyvIngot(store)));
}
