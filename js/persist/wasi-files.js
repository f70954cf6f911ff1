import { ERRNO, FileError, validName } from "./files.js";

// The first descriptor behind the standard ones: the directory.
const DIRECTORY = 3;
/** The path under which the engine finds the directory. */
export const DIRECTORY_PATH = "/store";
// More are never open: the engine opens a file at a time, beside the log's three.
const DESCRIPTORS_MAX = 1024;
const OFFSET_MAX = BigInt(Number.MAX_SAFE_INTEGER);

const SUCCESS = 0;
const TYPE_DIRECTORY = 3;
const TYPE_FILE = 4;
const FLAG_CREATE = 1;
const FLAG_DIRECTORY = 2;
const FLAG_EXCLUSIVE = 4;
const FLAG_TRUNCATE = 8;
const RIGHT_WRITE = 1n << 6n;
const RIGHTS_ALL = 0xffffffffn;
const DIRENT_BYTES = 24;
const FILESTAT_BYTES = 64;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * WasiFiles answers the file calls of WASI preview 1 with a back end (see
 * files.js): one preopened directory, without directories below it. A path that
 * leads anywhere else is refused before the back end sees it.
 */
export class WasiFiles {
  #files;
  #memory = null;
  #open = new Map(); // by descriptor: { file, name, writes } or { names } for the directory
  #inodes = 0;
  /** The last failure that was no plain answer, such as that a file is not there. */
  failure = null;

  constructor(files) {
    this.#files = files;
    this.#open.set(DIRECTORY, { file: null, names: null, inode: ++this.#inodes });
  }

  /** bind tells where the instance keeps its memory. */
  bind(memory) {
    this.#memory = memory;
  }

  /** calls are the imports, by name. */
  calls() {
    const calls = {
      fd_prestat_get: (fd, out) => this.#prestat(fd, out),
      fd_prestat_dir_name: (fd, at, size) => this.#prestatName(fd, at, size),
      fd_fdstat_get: (fd, out) => this.#fdstat(this.#at(fd), out),
      fd_filestat_get: (fd, out) => this.#filestat(this.#at(fd), out),
      fd_close: (fd) => this.#close(fd),
      fd_pread: (fd, vectors, count, offset, out) => this.#read(this.#file(fd), vectors, count, offset, out),
      fd_pwrite: (fd, vectors, count, offset, out) => this.#write(this.#file(fd, true), vectors, count, offset, out),
      fd_filestat_set_size: (fd, size) => this.#file(fd, true).resize(number(size)),
      fd_allocate: (fd, offset, size) => this.#file(fd, true).allocate(number(offset + size)),
      fd_sync: (fd) => this.#sync(this.#at(fd)),
      fd_datasync: (fd) => this.#sync(this.#at(fd)),
      fd_readdir: (fd, at, size, cookie, out) => this.#readdir(this.#directory(fd), at, size, cookie, out),
      path_open: (fd, _lookup, path, pathBytes, flags, rights, _inheriting, _fdflags, out) =>
        this.#pathOpen(this.#directory(fd), this.#text(path, pathBytes), flags, rights, out),
      path_filestat_get: (fd, _lookup, path, pathBytes, out) => this.#pathFilestat(this.#directory(fd), this.#text(path, pathBytes), out),
      path_create_directory: (fd, path, pathBytes) => this.#makeDirectory(this.#directory(fd), this.#text(path, pathBytes)),
      path_rename: (fromFd, from, fromBytes, toFd, to, toBytes) => {
        this.#directory(fromFd);
        this.#directory(toFd);
        this.#files.rename(nameOf(this.#text(from, fromBytes)), nameOf(this.#text(to, toBytes)));
      },
      path_unlink_file: (fd, path, pathBytes) => {
        this.#directory(fd);
        this.#files.remove(nameOf(this.#text(path, pathBytes)));
      },
    };
    return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, (...args) => this.#answer(call, args)]));
  }

  /** closeAll closes what an instance has left open that is used no more. */
  closeAll() {
    for (const { file } of this.#open.values()) {
      try {
        file?.close();
      } catch {
        // The instance is gone: nobody is there to be told.
      }
    }
    this.#open.clear();
  }

  // An exception must not pass through the engine: it would be a trap.
  #answer(call, args) {
    try {
      call(...args);
      return SUCCESS;
    } catch (error) {
      if (error instanceof FileError && (error.errno === ERRNO.NOENT || error.errno === ERRNO.NOTSUP || error.errno === ERRNO.BADF)) return error.errno;
      this.failure = error;
      return error instanceof FileError ? error.errno : ERRNO.IO;
    }
  }

  #view() {
    return new DataView(this.#memory.buffer);
  }

  #text(at, size) {
    return decoder.decode(new Uint8Array(this.#memory.buffer, at >>> 0, size >>> 0));
  }

  #at(fd) {
    const open = this.#open.get(fd);
    if (open === undefined) throw new FileError(ERRNO.BADF, `descriptor ${fd} is not open`);
    return open;
  }

  #directory(fd) {
    const open = this.#at(fd);
    if (open.file !== null) throw new FileError(ERRNO.NOTDIR, `descriptor ${fd} is a file`);
    return open;
  }

  #file(fd, write = false) {
    const { file, writes } = this.#at(fd);
    if (file === null) throw new FileError(ERRNO.ISDIR, `descriptor ${fd} is the directory`);
    if (write && !writes) throw new FileError(ERRNO.BADF, `descriptor ${fd} is open for reading`);
    return file;
  }

  #add(open) {
    if (this.#open.size >= DESCRIPTORS_MAX) throw new FileError(ERRNO.NFILE, `${DESCRIPTORS_MAX} files are open`);
    let fd = DIRECTORY + 1;
    while (this.#open.has(fd)) fd++;
    this.#open.set(fd, { ...open, inode: ++this.#inodes });
    return fd;
  }

  #close(fd) {
    const { file } = this.#at(fd);
    this.#open.delete(fd);
    file?.close();
  }

  #prestat(fd, out) {
    if (fd !== DIRECTORY) throw new FileError(ERRNO.BADF, "it is not preopened");
    const view = this.#view();
    view.setUint32(out, 0, true);
    view.setUint32(out + 4, DIRECTORY_PATH.length, true);
  }

  #prestatName(fd, at, size) {
    if (fd !== DIRECTORY || size < DIRECTORY_PATH.length) throw new FileError(ERRNO.BADF, "it is not preopened");
    encoder.encodeInto(DIRECTORY_PATH, new Uint8Array(this.#memory.buffer, at, size));
  }

  #fdstat(open, out) {
    const view = this.#view();
    view.setUint32(out, open.file === null ? TYPE_DIRECTORY : TYPE_FILE, true);
    view.setUint32(out + 4, 0, true);
    view.setBigUint64(out + 8, RIGHTS_ALL, true);
    view.setBigUint64(out + 16, RIGHTS_ALL, true);
  }

  #filestat(open, out) {
    const directory = open.file === null;
    const gone = directory ? this.#files.gone() : open.file.gone();
    const view = this.#view();
    new Uint8Array(this.#memory.buffer, out, FILESTAT_BYTES).fill(0);
    view.setBigUint64(out, 1n, true);
    view.setBigUint64(out + 8, BigInt(directory ? 1 : open.inode), true);
    view.setUint8(out + 16, directory ? TYPE_DIRECTORY : TYPE_FILE);
    view.setBigUint64(out + 24, gone ? 0n : 1n, true);
    view.setBigUint64(out + 32, directory ? 0n : BigInt(open.file.size()), true);
  }

  #sync({ file }) {
    if (file === null) this.#files.sync();
    else file.sync();
  }

  // Each vector's part of the memory, until one says that it is the last.
  #each(vectors, count, use) {
    const view = this.#view();
    for (let i = 0; i < count; i++) {
      const at = view.getUint32(vectors + 8 * i, true);
      const size = view.getUint32(vectors + 8 * i + 4, true);
      if (!use(new Uint8Array(this.#memory.buffer, at, size))) return;
    }
  }

  #read(file, vectors, count, offset, out) {
    let at = number(offset);
    let done = 0;
    this.#each(vectors, count, (part) => {
      const n = file.read(part, at);
      at += n;
      done += n;
      return n === part.length;
    });
    this.#view().setUint32(out, done, true);
  }

  #write(file, vectors, count, offset, out) {
    let at = number(offset);
    let done = 0;
    this.#each(vectors, count, (part) => {
      file.write(part, at);
      at += part.length;
      done += part.length;
      return true;
    });
    this.#view().setUint32(out, done, true);
  }

  // A listing is of the moment in which it begins.
  #readdir(open, at, size, cookie, out) {
    if (cookie === 0n || open.names === null) open.names = this.#files.list().map((name) => encoder.encode(name));
    const buffer = new Uint8Array(this.#memory.buffer, at, size);
    const head = new DataView(new ArrayBuffer(DIRENT_BYTES));
    let used = 0;
    for (let i = Number(cookie); i < open.names.length && used < size; i++) {
      head.setBigUint64(0, BigInt(i + 1), true);
      head.setBigUint64(8, BigInt(i + 1), true);
      head.setUint32(16, open.names[i].length, true);
      head.setUint8(20, TYPE_FILE);
      for (const part of [new Uint8Array(head.buffer), open.names[i]]) {
        const fits = part.subarray(0, size - used);
        buffer.set(fits, used);
        used += fits.length;
      }
    }
    this.#view().setUint32(out, used, true);
  }

  #pathOpen(_directory, path, flags, rights, out) {
    const exclusive = (flags & FLAG_EXCLUSIVE) !== 0;
    let fd;
    if (path === ".") {
      if (exclusive) throw new FileError(ERRNO.EXIST, "the directory is there");
      fd = this.#add({ file: null, names: null });
    } else {
      const name = nameOf(path);
      if ((flags & FLAG_DIRECTORY) !== 0) throw new FileError(ERRNO.NOTDIR, `${name} is a file`);
      if ((flags & FLAG_TRUNCATE) !== 0 || (flags & FLAG_CREATE) !== 0 && !exclusive) {
        throw new FileError(ERRNO.NOTSUP, "a file is made only where there is none");
      }
      fd = this.#add({ file: this.#files.open(name, exclusive), writes: (rights & RIGHT_WRITE) !== 0n });
    }
    this.#view().setInt32(out, fd, true);
  }

  #pathFilestat(directory, path, out) {
    if (path === ".") return this.#filestat(directory, out);
    const file = this.#files.open(nameOf(path), false);
    try {
      this.#filestat({ file, inode: ++this.#inodes }, out);
    } finally {
      file.close();
    }
  }

  #makeDirectory(_directory, path) {
    if (path === ".") throw new FileError(ERRNO.EXIST, "the directory is there");
    throw new FileError(ERRNO.NOTSUP, "a store has no directories below its own");
  }
}

// nameOf is the file that a path names: one of this directory, or none.
function nameOf(path) {
  if (path === ".." || path.includes("/") || path.includes("\0")) throw new FileError(ERRNO.NOTCAPABLE, `${JSON.stringify(path)} leads out of the directory`);
  if (path.length > 64) throw new FileError(ERRNO.NAMETOOLONG, "the name is too long");
  if (!validName(path)) throw new FileError(ERRNO.INVAL, `no file of a store is called ${JSON.stringify(path)}`);
  return path;
}

function number(offset) {
  if (offset < 0n || offset > OFFSET_MAX) throw new FileError(ERRNO.FBIG, `${offset} is no place in a file`);
  return Number(offset);
}
