// What a test does to a store's storage behind its back, in a worker of the page.
const BLOCK_BYTES = 16 << 10; // of js/persist/idb.js

async function directory(name) {
  const root = await navigator.storage.getDirectory();
  return (await root.getDirectoryHandle("ingot-state")).getDirectoryHandle(name);
}

// Handles of a worker that has just ended may be busy for a moment.
async function access(folder, file) {
  const handle = await folder.getFileHandle(file);
  for (;;) {
    try {
      return await handle.createSyncAccessHandle();
    } catch (error) {
      if (error.name !== "NoModificationAllowedError") throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function edit(folder, file, change) {
  const handle = await access(folder, file);
  const bytes = new Uint8Array(handle.getSize());
  handle.read(bytes, { at: 0 });
  const changed = change(bytes);
  handle.truncate(changed.length);
  handle.write(changed, { at: 0 });
  handle.flush();
  handle.close();
}

const isLog = (bytes) => new TextDecoder().decode(bytes.subarray(0, 8)) === "INGOTLOG" && bytes.some((byte, i) => i > 300 && byte !== 0);

/** cut is a log without its last thirty bytes that say something. */
function cut(bytes) {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.slice(0, end - 30);
}

const inOpfs = {
  async tear(name) {
    const folder = await directory(name);
    for await (const file of folder.keys()) if (file.startsWith("slot-")) await edit(folder, file, (bytes) => (isLog(bytes) ? cut(bytes) : bytes));
  },
  // Another format in both places, under a right checksum.
  newer: (name) => format(name, 2),
  older: (name) => format(name, 1),
  async lose(name) {
    const folder = await directory(name);
    await edit(folder, "map", (bytes) => bytes.fill(7));
  },
};

async function format(name, number) {
  const folder = await directory(name);
  await edit(folder, "map", (bytes) => {
    for (const at of [0, 32 << 10]) {
      const view = new DataView(bytes.buffer, at);
      view.setUint32(8, number, true);
      const size = 28 + view.getUint32(12, true);
      view.setUint32(24, crc32(bytes.subarray(at, at + size)), true);
    }
    return bytes;
  });
}

function crc32(bytes) {
  let crc = -1;
  bytes.forEach((byte, i) => {
    if (i >= 24 && i < 28) return;
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  });
  return ~crc >>> 0;
}

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function withDatabase(name, change) {
  const database = await done(indexedDB.open(`ingot-state:${name}`));
  const transaction = database.transaction(["meta", "blocks"], "readwrite");
  await change(transaction.objectStore("meta"), transaction.objectStore("blocks"));
  await new Promise((resolve) => (transaction.oncomplete = resolve));
  database.close();
}

const inIdb = {
  tear: (name) => withDatabase(name, async (meta, blocks) => {
    const held = await done(meta.get("files"));
    for (const file of Object.values(held.files)) {
      const block = await done(blocks.get([file.id, 0]));
      if (block === undefined || file.size > BLOCK_BYTES || !isLog(block)) continue;
      file.size = cut(block).length;
      blocks.put(block.fill(0, file.size), [file.id, 0]);
    }
    meta.put(held, "files");
  }),
  newer: (name) => withDatabase(name, async (meta) => meta.put({ ...await done(meta.get("files")), format: 2 }, "files")),
  older: (name) => withDatabase(name, async (meta) => meta.put({ ...await done(meta.get("files")), format: 1 }, "files")),
  lose: (name) => withDatabase(name, async (meta) => meta.delete("files")),
};

onmessage = async ({ data: { job, persist, name, file } }) => {
  try {
    if (job === "hold") globalThis.held = await access(await directory(name), file);
    else await (persist === "opfs" ? inOpfs : inIdb)[job](name);
    postMessage({});
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
