// What the test's page offers to the test: run a script here.
import * as ingot from "../js/index.js";
import { runScript } from "./runner.mjs";

function fromBase64(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

window.ingot = ingot;
window.run = async (script, files) => {
  const { output, snapshots } = await runScript(script, ingot, async (name) => fromBase64(files[name]));
  return { output, snapshots: [...snapshots].map(([name, bytes]) => [name, toBase64(bytes)]) };
};
window.ready = true;
