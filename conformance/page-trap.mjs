// The package's worker, whose clock a message can break, so that the engine traps.
import "../js/worker.js";

const { onmessage } = globalThis;
const { now } = Date;
let broken = false;
Date.now = () => (broken ? NaN : now());

globalThis.onmessage = (event) => {
  if (event.data.clock === undefined) onmessage(event);
  else broken = event.data.clock === "broken";
};
