import { IngotError } from "../errors.js";

/** lockName is the Web Lock of a store's owner. */
export function lockName(name) {
  return `ingot-state:${name}`;
}

/**
 * takeLock takes the store for this page or worker and returns a function that gives
 * it free; the browser does so when the page or worker ends, however it ends. It fails
 * with ERR_LOCKED when another has the store.
 */
export async function takeLock(name) {
  if (typeof globalThis.navigator?.locks?.request !== "function") {
    throw new IngotError("ERR_PERSIST_UNSUPPORTED", "this browser has no Web Locks, or the page is not secure, so two tabs could write to the store: use persist: false");
  }
  return new Promise((resolve, reject) => {
    navigator.locks.request(lockName(name), { ifAvailable: true }, (lock) => {
      if (lock === null) {
        reject(new IngotError("ERR_LOCKED", `another tab or worker has the store ${name} open: close it there, or use openWorker(), which shares it`));
        return undefined;
      }
      return new Promise((free) => resolve(answerOthers(name, free)));
    }).catch(reject);
  });
}

// answerOthers tells those who would share the store (worker/shared.js) that it is not
// shared, and returns what gives it free.
function answerOthers(name, free) {
  const channel = new BroadcastChannel(lockName(name));
  channel.onmessage = ({ data }) => {
    if (data.type === "who") channel.postMessage({ type: "private" });
  };
  return () => {
    channel.close();
    free();
  };
}
