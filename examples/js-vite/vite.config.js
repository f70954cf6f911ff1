export default {
  base: "./",
  worker: { format: "es" },
  optimizeDeps: { exclude: ["ingot-state"] }, // engine.wasm is found beside its module
};
