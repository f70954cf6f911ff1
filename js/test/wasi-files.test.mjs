// The file calls of WASI, as the engine makes them and as it never would: what leads out
// of the directory, does not exist or is no number must be an errno, and reach no back
// end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRNO, FileError } from "../persist/files.js";
import { DIRECTORY_PATH, WasiFiles } from "../persist/wasi-files.js";

/** memoryFiles is a back end that notes the names that it is asked for. */
function memoryFiles() {
  const files = new Map();
  const asked = [];
  const file = (name) => ({
    size: () => files.get(name).length,
    read(into, at) {
      const part = files.get(name).subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write(bytes, at) {
      const longer = new Uint8Array(Math.max(files.get(name).length, at + bytes.length));
      longer.set(files.get(name));
      longer.set(bytes, at);
      files.set(name, longer);
    },
    resize: (size) => files.set(name, new Uint8Array(size)),
    allocate() {
      throw new FileError(ERRNO.NOTSUP, "no");
    },
    sync() {},
    gone: () => !files.has(name),
    close() {},
  });
  return {
    asked,
    list: () => [...files.keys()],
    open(name, make) {
      asked.push(name);
      if (!make && !files.has(name)) throw new FileError(ERRNO.NOENT, "none");
      if (make && files.has(name)) throw new FileError(ERRNO.EXIST, "there");
      if (make) files.set(name, new Uint8Array(0));
      return file(name);
    },
    rename: (from, to) => asked.push(from, to),
    remove: (name) => asked.push(name),
    sync() {},
    gone: () => false,
  };
}

const [CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE] = [1, 2, 4, 8];
const RIGHTS = (1n << 6n) | (1n << 1n);

function setup() {
  const back = memoryFiles();
  const files = new WasiFiles(back);
  const memory = { buffer: new ArrayBuffer(1 << 16) };
  files.bind(memory);
  const calls = files.calls();
  const view = new DataView(memory.buffer);
  const text = (what) => new TextEncoder().encodeInto(what, new Uint8Array(memory.buffer, 1000, 500)).written;
  const open = (path, flags, rights = RIGHTS) => calls.path_open(3, 0, 1000, text(path), flags, rights, rights, 0, 8) || -view.getInt32(8, true);
  return { back, files, calls, view, memory, text, open };
}

test("paths that lead anywhere else reach no back end", () => {
  const { back, calls, text, open } = setup();
  const wrong = {
    "..": ERRNO.NOTCAPABLE, "../x": ERRNO.NOTCAPABLE, "/etc/passwd": ERRNO.NOTCAPABLE, "a/b": ERRNO.NOTCAPABLE, "./a": ERRNO.NOTCAPABLE, "a\0b": ERRNO.NOTCAPABLE,
    "": ERRNO.INVAL, "A": ERRNO.INVAL, "lock": ERRNO.INVAL, "owner_1": ERRNO.INVAL, ".hidden": ERRNO.INVAL, "-a": ERRNO.INVAL, "ä": ERRNO.INVAL, [`${"a".repeat(65)}`]: ERRNO.NAMETOOLONG,
  };
  for (const [path, errno] of Object.entries(wrong)) {
    assert.equal(open(path, 0), errno, path);
    assert.equal(open(path, CREATE | EXCLUSIVE), errno, path);
    assert.equal(calls.path_unlink_file(3, 1000, text(path)), errno, path);
    assert.equal(calls.path_filestat_get(3, 0, 1000, text(path), 8), errno, path);
    assert.equal(calls.path_rename(3, 1000, text(path), 3, 1000, text(path)), errno, path);
  }
  assert.deepEqual(back.asked, []);
});

test("descriptors and flags that make no sense are refused", () => {
  const { calls, text, open } = setup();
  const fd = -open("a", CREATE | EXCLUSIVE);
  assert.equal(open("a", CREATE | EXCLUSIVE), ERRNO.EXIST);
  assert.equal(open("a", CREATE), ERRNO.NOTSUP);
  assert.equal(open("a", TRUNCATE), ERRNO.NOTSUP);
  assert.equal(open("a", DIRECTORY), ERRNO.NOTDIR);
  assert.equal(open("b", 0), ERRNO.NOENT);
  const reading = -open("a", 0, 2n);
  assert.equal(calls.fd_pwrite(reading, 0, 0, 0n, 8), ERRNO.BADF);
  assert.equal(calls.fd_filestat_set_size(reading, 5n), ERRNO.BADF);
  for (const wrong of [0, 1, 2, 99, -1]) assert.equal(calls.fd_datasync(wrong), ERRNO.BADF);
  assert.equal(calls.fd_pread(3, 0, 0, 0n, 8), ERRNO.ISDIR);
  assert.equal(calls.fd_readdir(fd, 0, 10, 0n, 8), ERRNO.NOTDIR);
  assert.equal(calls.path_open(fd, 0, 1000, text("a"), 0, RIGHTS, RIGHTS, 0, 8), ERRNO.NOTDIR);
  for (const offset of [-1n, 1n << 53n, (1n << 64n) - 1n]) {
    assert.equal(calls.fd_pwrite(fd, 0, 0, offset, 8), ERRNO.FBIG);
    assert.equal(calls.fd_filestat_set_size(fd, offset), ERRNO.FBIG);
  }
  assert.equal(calls.fd_allocate(fd, 0n, 10n), ERRNO.NOTSUP);
  assert.equal(calls.path_create_directory(3, 1000, text("below")), ERRNO.NOTSUP);
  assert.equal(calls.fd_prestat_get(4, 0), ERRNO.BADF);
  assert.equal(calls.fd_close(fd), 0);
  assert.equal(calls.fd_close(fd), ERRNO.BADF);
});

test("open files are bounded", () => {
  const { open, files } = setup();
  assert.ok(open("a", CREATE | EXCLUSIVE) < 0);
  let count = 1;
  while (open("a", 0) < 0) count++;
  assert.equal(open("a", 0), ERRNO.NFILE);
  assert.equal(count, 1023);
  files.closeAll();
});

test("what is written is read, in vectors, and listed however small the buffer", () => {
  const { calls, view, memory, open } = setup();
  assert.equal(calls.fd_prestat_get(3, 0), 0);
  assert.equal(view.getUint32(4, true), DIRECTORY_PATH.length);
  const fd = -open("a", CREATE | EXCLUSIVE);
  const vectors = (...parts) => parts.forEach(([at, size], i) => {
    view.setUint32(100 + 8 * i, at, true);
    view.setUint32(104 + 8 * i, size, true);
  });
  const bytes = new Uint8Array(memory.buffer);
  bytes.set([1, 2, 3, 4, 5], 2000);
  vectors([2000, 2], [2002, 3]);
  assert.equal(calls.fd_pwrite(fd, 100, 2, 1n, 8), 0);
  assert.equal(view.getUint32(8, true), 5);
  vectors([3000, 4], [3004, 10]);
  assert.equal(calls.fd_pread(fd, 100, 2, 0n, 8), 0);
  assert.equal(view.getUint32(8, true), 6);
  assert.deepEqual([...bytes.subarray(3000, 3006)], [0, 1, 2, 3, 4, 5]);
  for (let i = 0; i < 30; i++) open(`file-${i}`, CREATE | EXCLUSIVE);
  const names = [];
  for (let cookie = 0n; ; ) {
    assert.equal(calls.fd_readdir(3, 4000, 100, cookie, 8), 0);
    const used = view.getUint32(8, true);
    for (let at = 0; at + 24 <= used; ) {
      const length = view.getUint32(4000 + at + 16, true);
      if (at + 24 + length > used) break;
      names.push(new TextDecoder().decode(bytes.subarray(4000 + at + 24, 4000 + at + 24 + length)));
      cookie = view.getBigUint64(4000 + at, true);
      at += 24 + length;
    }
    if (used < 100) break;
  }
  assert.deepEqual(names, ["a", ...Array.from({ length: 30 }, (_, i) => `file-${i}`)]);
});

test("an exception of a back end is an errno, and kept for the error", () => {
  const back = memoryFiles();
  const files = new WasiFiles({ ...back, sync() { throw new TypeError("broken"); } });
  files.bind({ buffer: new ArrayBuffer(100) });
  assert.equal(files.calls().fd_sync(3), ERRNO.IO);
  assert.equal(files.failure.message, "broken");
});
