/** ingot-state with the engine inside its JavaScript: nothing else is loaded. */
export * from "./index.js";
