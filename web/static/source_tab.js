// The engine in this tab: the npm package, served by ingot itself.

import { StoreSource, watchStore } from "./source_store.js";
import { countText, sizeText } from "./value.js";

/** The tab's byte budget: the page is for looking and trying, so a modest one. */
const bytesMax = 64 * 1024 * 1024;

/** Starts an engine; throws when it cannot start. */
export async function openTab() {
  const { open } = await import("/js/index.js");
  return new Tab(await open({ persist: false, maxBytes: bytesMax }));
}

class Tab {
  constructor(store) {
    this.store = store;
    this.source = new StoreSource(store);
  }

  /** Calls fn with changes, those that come together at once, until the engine ends. */
  watch(fn) {
    return watchStore(this.store, fn);
  }

  /** Frees what has expired. It throws once the engine has failed. */
  tick() {
    this.store.tick();
  }

  facts() {
    const { keys, bytes, version } = this.store.stats();
    return [
      ["Keys", countText(keys)],
      ["Memory", `${sizeText(bytes)} of ${sizeText(bytesMax)}`],
      ["Version", countText(version)],
      ["Engine", "WebAssembly"],
    ];
  }
}
