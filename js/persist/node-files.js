import { ERRNO, FileError, absent, validName } from "./files.js";

// process.getBuiltinModule and not an import, so that bundlers for the browser find
// nothing of Node here.
const { fs, path } = globalThis.process?.getBuiltinModule === undefined
  ? {} : { fs: process.getBuiltinModule("node:fs"), path: process.getBuiltinModule("node:path") };

// What a store makes is its owner's alone, as natively.
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

// Room is made by writing zeros, this many bytes at a time: Node cannot ask the
// system for it.
const ZEROS = new Uint8Array(256 << 10);

const CODES = {
  EACCES: ERRNO.ACCES, EPERM: ERRNO.PERM, EEXIST: ERRNO.EXIST, ENOENT: ERRNO.NOENT, ENOSPC: ERRNO.NOSPC, EDQUOT: ERRNO.DQUOT,
  EROFS: ERRNO.ROFS, EMFILE: ERRNO.NFILE, ENFILE: ERRNO.NFILE, EISDIR: ERRNO.ISDIR, ELOOP: ERRNO.LOOP, EBUSY: ERRNO.BUSY, EFBIG: ERRNO.FBIG,
};

/**
 * NodeFiles is a directory of the operating system. On Linux it holds to the
 * directory that it has opened, even when that is moved; elsewhere it goes by the
 * path.
 */
export class NodeFiles {
  #fd;
  #base; // names are looked up below it
  #linux;
  /** The path, for people. */
  dir;
  /** How large the log's files are: their room is written while the thread waits. */
  segmentBytes = 8 << 20;

  constructor(dir) {
    this.dir = path.resolve(dir);
    makeDirectory(this.dir);
    this.#fd = told(() => fs.openSync(this.dir, fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0)), this.dir);
    const held = `/proc/self/fd/${this.#fd}`;
    this.#linux = process.platform === "linux" && fs.existsSync(held);
    this.#base = this.#linux ? held : this.dir;
  }

  /** at is the path under which a name is found. */
  at(name) {
    return `${this.#base}${path.sep}${name}`;
  }

  list() {
    return told(() => fs.readdirSync(`${this.#base}${path.sep}`, { withFileTypes: true }), this.dir)
      .filter((entry) => entry.isFile() && validName(entry.name)).map((entry) => entry.name).sort();
  }

  open(name, make) {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = fs.constants;
    const flags = O_RDWR | O_NOFOLLOW | (make ? O_CREAT | O_EXCL : 0);
    return new NodeFile(told(() => fs.openSync(this.at(name), flags, FILE_MODE), name), name, this.#linux);
  }

  rename(from, to) {
    told(() => fs.renameSync(this.at(from), this.at(to)), from);
  }

  remove(name) {
    told(() => fs.unlinkSync(this.at(name)), name);
  }

  // Windows has no such call, and NTFS keeps a journal of its directories.
  sync() {
    if (process.platform !== "win32") told(() => fs.fdatasyncSync(this.#fd), this.dir);
  }

  gone() {
    return isGone(this.#fd, this.#linux, this.dir);
  }

  close() {
    told(() => fs.closeSync(this.#fd), this.dir);
  }
}

class NodeFile {
  #fd;
  #name;
  #linux;
  #size;

  constructor(fd, name, linux) {
    this.#fd = fd;
    this.#name = name;
    this.#linux = linux;
    this.#size = told(() => fs.fstatSync(fd), name).size; // nobody else writes to it
  }

  size() {
    return this.#size;
  }

  read(into, at) {
    let done = 0;
    while (done < into.length) {
      const n = told(() => fs.readSync(this.#fd, into, done, into.length - done, at + done), this.#name);
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  write(bytes, at) {
    for (let done = 0; done < bytes.length; ) {
      done += told(() => fs.writeSync(this.#fd, bytes, done, bytes.length - done, at + done), this.#name);
      this.#size = Math.max(this.#size, at + done);
    }
  }

  resize(size) {
    told(() => fs.ftruncateSync(this.#fd, size), this.#name);
    this.#size = size;
  }

  allocate(size) {
    while (this.#size < size) this.write(ZEROS.subarray(0, Math.min(ZEROS.length, size - this.#size)), this.#size);
  }

  sync() {
    told(() => fs.fdatasyncSync(this.#fd), this.#name);
  }

  gone() {
    return isGone(this.#fd, this.#linux, this.#name);
  }

  close() {
    told(() => fs.closeSync(this.#fd), this.#name);
  }
}

// makeDirectory makes the directories that are missing, and makes each durable.
function makeDirectory(dir) {
  const missing = [];
  for (let at = dir; !fs.existsSync(at) && path.dirname(at) !== at; at = path.dirname(at)) missing.push(at);
  for (const at of missing.reverse()) {
    told(() => fs.mkdirSync(at, { mode: DIRECTORY_MODE, recursive: true }), at);
    if (process.platform === "win32") continue;
    const parent = told(() => fs.openSync(path.dirname(at), "r"), at);
    try {
      told(() => fs.fsyncSync(parent), path.dirname(at));
    } finally {
      fs.closeSync(parent);
    }
  }
}

// isGone does not ask for the times, where it can do without, as fstat does: from
// Linux 6.13 on the next write would then change the inode, and its sync take half
// as long again.
function isGone(fd, linux, name) {
  if (linux) return told(() => fs.readlinkSync(`/proc/self/fd/${fd}`), name).endsWith(" (deleted)");
  if (process.platform === "win32") return false; // nobody can remove what is open
  return told(() => fs.fstatSync(fd), name).nlink === 0;
}

// told runs a call of node:fs and says which file it was about.
function told(call, name) {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (error.code === "EINTR") continue;
      if (error.code === "ENOENT") throw absent(name);
      throw new FileError(CODES[error.code] ?? ERRNO.IO, `${name}: ${error.message}`, { cause: error });
    }
  }
}
