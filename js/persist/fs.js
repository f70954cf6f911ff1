import { IngotError } from "../errors.js";
import { NodeFiles } from "./node-files.js";
import { lockDirectory } from "./node-lock.js";

/** openFiles opens the back end of persist "fs": a directory that Node can reach. */
export async function openFiles({ name, dir }) {
  if (globalThis.process?.versions?.node === undefined) {
    throw new IngotError("ERR_PERSIST_UNSUPPORTED", "persist \"fs\" needs Node; in a browser use \"opfs\", in a worker, or \"idb\"");
  }
  const files = new NodeFiles(dir ?? `./${name}.ingot`);
  let free;
  try {
    free = lockDirectory(files);
  } catch (error) {
    files.close();
    throw error;
  }
  const release = async () => {
    try {
      free();
    } finally {
      files.close();
    }
  };
  return { files, release };
}
