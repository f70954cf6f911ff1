import { IngotError, typeError } from "../errors.js";
import { wholeNumber } from "../options.js";
import { Store } from "../store.js";
import { Durable, SYNC_INTERVAL_DEFAULT, SYNC_NAMES, policyNumber } from "./durable.js";
import { ERRNO } from "./files.js";
import { DIRECTORY_PATH, WasiFiles } from "./wasi-files.js";

const INTERVAL_MAX = 2 ** 31 - 1; // of a timer
// What ingot_open_dir takes in its registers.
const [REGISTER_SYNC, REGISTER_INTERVAL, REGISTER_SEGMENT, REGISTER_COMPRESS] = [2, 3, 4, 5];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const BACK_ENDS = {
  fs: () => import("./fs.js"),
  opfs: () => import("./opfs.js"),
  idb: () => import("./idb.js"),
};

/**
 * openPersistent opens the store that a back end holds. begin starts an engine on
 * its files and fills the registers of ingot_open in.
 */
export async function openPersistent({ locked = false, begin, ...options }) {
  checkPersist(options);
  const { name, persist, dir, sync, syncInterval } = checkedOptions(options);
  const { openFiles } = await BACK_ENDS[persist]();
  const { files, release } = await openFiles({ name, dir, locked }).catch((error) => {
    throw error instanceof IngotError ? error : storageError(error);
  });
  let engine;
  try {
    engine = await begin(new WasiFiles(files));
    engine.setRegister(REGISTER_SYNC, policyNumber(sync));
    engine.setRegister(REGISTER_INTERVAL, 0);
    engine.setRegister(REGISTER_SEGMENT, files.segmentBytes ?? 0);
    engine.setRegister(REGISTER_COMPRESS, 0);
    const pathBytes = engine.keyAt(DIRECTORY_PATH, 0, "a path");
    const handle = engine.checked("ingot_open_dir", pathBytes);
    await files.commit?.();
    const durable = new Durable(engine, handle, { files, sync, interval: syncInterval, release });
    return new Store(engine, handle, name, durable);
  } catch (error) {
    engine?.close();
    await release();
    throw error;
  }
}

// checkPersist refuses a place that is none, and options of a store that is kept for one
// that is not.
function checkPersist({ persist }) {
  if (persist === false) {
    throw new IngotError("ERR_OPTIONS", "dir, sync and syncInterval are for a store that is kept: say where with persist");
  }
  if (!Object.hasOwn(BACK_ENDS, persist)) {
    throw new IngotError("ERR_OPTIONS", `persist is false, "fs", "opfs" or "idb", not ${JSON.stringify(persist)}`);
  }
}

/** checkedOptions refuses what no back end takes, and fills in what is not given. */
export function checkedOptions({ name = "ingot", persist, dir, sync = "group", syncInterval = SYNC_INTERVAL_DEFAULT }) {
  if (!SYNC_NAMES.includes(sync)) throw new IngotError("ERR_OPTIONS", `sync is ${SYNC_NAMES.map((each) => JSON.stringify(each)).join(", ")}, not ${JSON.stringify(sync)}`);
  if (wholeNumber("syncInterval", syncInterval, INTERVAL_MAX) === 0) throw new IngotError("ERR_OPTIONS", "syncInterval is 1 or more milliseconds");
  if (dir !== undefined && typeof dir !== "string") throw typeError("dir", "a path", dir);
  if (dir !== undefined && persist !== "fs") throw new IngotError("ERR_OPTIONS", `dir is for persist "fs"; with ${JSON.stringify(persist)} the name says which store it is`);
  if (dir === "" || dir?.includes("\0")) throw new IngotError("ERR_OPTIONS", "dir must be a path");
  if (dir === undefined && !NAME.test(name)) throw new IngotError("ERR_OPTIONS", `the name of a store that is kept has 1 to 64 letters, digits, ".", "_" and "-", and begins with a letter or digit; it is not ${JSON.stringify(name)}`);
  if (persist === "idb" && sync === "always") throw new IngotError("ERR_OPTIONS", "no call can wait for IndexedDB: use sync \"group\" and flush()");
  return { name, persist, dir, sync, syncInterval };
}

// storageError is what a system or browser threw, with a code of this package.
function storageError(error) {
  const full = error.errno === ERRNO.NOSPC || error.errno === ERRNO.DQUOT || error.code === "ENOSPC";
  return new IngotError(full ? "ERR_SPACE" : "ERR_STORAGE", `the store's files cannot be opened: ${error.message}`, { cause: error });
}
