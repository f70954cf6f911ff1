import { Store, inside } from "../store.js";

/**
 * acknowledged waits until a write may be told of as done: in a kept store with sync
 * "always" or "group" that is when it is durable. A worker's store has waited already.
 */
export async function acknowledged(store) {
  if (store instanceof Store && inside(store).durable?.acknowledges === true) await store.flush();
}
