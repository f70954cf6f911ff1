import { IngotError } from "../errors.js";

const builtin = (name) => globalThis.process?.getBuiltinModule?.(name);
const fs = builtin("node:fs");
const os = builtin("node:os");

// The file that a native process locks with flock, and writes itself into.
const LOCK_NAME = "lock";
// An owner file of this package; storage.ValidName refuses the name, so that no
// build takes it for a file of the store. engine/storage/owner_linux.go reads it.
const OWNER_PREFIX = "owner_";
const HELD = "held\n";
const FREE = "free\n";
const OWNER_BYTES_MAX = 4096;
const TRIES_MAX = 100;

// Of fcntl.h on the BSDs and macOS, and of libuv on Windows.
const O_EXLOCK = { darwin: 0x20, freebsd: 0x20, openbsd: 0x20, netbsd: 0x20, win32: 0x10000000 };

/**
 * lockDirectory takes a directory for this process and returns a function that
 * gives it free. It throws ERR_LOCKED when another has it, native or in Node.
 *
 * Where open() can lock, the system does it, and the lock ends with the process. On
 * Linux, where Node has no such call, an owner file says who has the directory:
 * process, start time, boot and pid namespace, so that one that was killed is known
 * to be gone. A native process takes its flock first and looks for owner files then;
 * this one makes its owner file first and looks for the flock then. Whatever the
 * order, one of the two sees the other.
 *
 * Owner files are numbered. Whoever takes over from a dead owner makes the next
 * number, with its contents in it, which only one can do; the one before stays until
 * the next but one is made, so that nobody who was slow makes it again.
 */
export function lockDirectory(files) {
  if (process.platform === "linux") return lockByOwnerFile(files);
  const flag = O_EXLOCK[process.platform];
  if (flag === undefined) {
    throw new IngotError("ERR_PERSIST_UNSUPPORTED", `Node cannot lock a directory on ${process.platform}, so two processes could write to it: use persist: false with snapshot() and restore()`);
  }
  return lockByOpen(files, flag);
}

function lockByOpen(files, flag) {
  const { O_RDWR, O_CREAT, O_NONBLOCK = 0 } = fs.constants;
  let fd;
  try {
    fd = fs.openSync(files.at(LOCK_NAME), O_RDWR | O_CREAT | O_NONBLOCK | flag, 0o600);
  } catch (error) {
    if (["EAGAIN", "EWOULDBLOCK", "EBUSY", "EACCES", "EPERM"].includes(error.code)) throw locked(files.dir, "another process");
    throw error;
  }
  fs.ftruncateSync(fd, 0);
  fs.writeSync(fd, `pid ${process.pid}\nhost ${os.hostname()}\nsince ${now()}\n`, 0);
  return () => fs.closeSync(fd);
}

function lockByOwnerFile(files) {
  const me = thisProcess();
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const numbers = ownerNumbers(files);
    const last = numbers.at(-1) ?? 0;
    const owner = readOwner(files, last);
    if (owner === "gone") continue; // another takes over at this moment
    if (owner !== undefined && owner.state === "held" && lives(owner, me)) throw locked(files.dir, describe(owner), hint(files, owner, me, last));
    const mine = makeOwner(files, last + 1, me);
    if (mine === undefined) continue; // another was faster
    if (ownerNumbers(files).at(-1) !== mine.number) {
      mine.release();
      continue; // it was slow, and others have come and gone meanwhile
    }
    for (const old of numbers.filter((number) => number < last)) fs.rmSync(files.at(OWNER_PREFIX + old), { force: true });
    const holder = nativeHolder(files, me);
    if (holder !== undefined) {
      mine.release();
      throw locked(files.dir, holder);
    }
    forgetNative(files);
    return mine.release;
  }
  throw locked(files.dir, "processes that come and go");
}

function thisProcess() {
  return {
    pid: process.pid, host: os.hostname(), since: now(), start: startOf(process.pid),
    boot: fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), space: fs.readlinkSync("/proc/self/ns/pid"),
  };
}

function now() {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

// startOf is when a process started, in the system's ticks: pids are used again. The
// second field of the file, a name in brackets, may hold anything.
function startOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19]; // a zombie holds nothing
  } catch {
    return undefined;
  }
}

function ownerNumbers(files) {
  return fs.readdirSync(files.at(".")).map((name) => /^owner_([1-9][0-9]{0,14})$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined).map(Number).sort((a, b) => a - b);
}

// readOwner is what an owner file says. One that cannot be read was cut by a power
// failure: it gets its name only when it is whole.
function readOwner(files, number) {
  if (number === 0) return undefined;
  try {
    const text = fs.readFileSync(files.at(OWNER_PREFIX + number), "utf8").slice(0, OWNER_BYTES_MAX);
    return /^space .*\n/m.test(text) ? parseHolder(text) : undefined;
  } catch (error) {
    if (error.code === "ENOENT") return "gone";
    throw error;
  }
}

function parseHolder(text) {
  const [state, ...lines] = text.startsWith("pid ") ? ["held", ...text.split("\n")] : text.split("\n");
  const fields = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
  if (!/^[0-9]+$/.test(fields.pid ?? "")) return undefined;
  return { ...fields, state, pid: Number(fields.pid) };
}

// lives is true unless it is sure that the owner is gone.
function lives(owner, me) {
  if (owner.boot === me.boot) return owner.space !== me.space || startOf(owner.pid) === owner.start;
  return owner.host !== me.host; // the machine was started again, or it is another one
}

function makeOwner(files, number, me) {
  const draft = files.at(`${OWNER_PREFIX}draft_${me.pid}_${Math.random().toString(36).slice(2)}`);
  const at = files.at(OWNER_PREFIX + number);
  const fd = fs.openSync(draft, "wx", 0o600);
  try {
    fs.writeSync(fd, `${HELD}pid ${me.pid}\nhost ${me.host}\nsince ${me.since}\nstart ${me.start}\nboot ${me.boot}\nspace ${me.space}\n`);
    fs.linkSync(draft, at);
  } catch (error) {
    fs.closeSync(fd);
    if (error.code === "EEXIST") return undefined;
    throw error;
  } finally {
    fs.unlinkSync(draft);
  }
  return {
    number,
    release() {
      fs.writeSync(fd, FREE, 0);
      fs.closeSync(fd);
    },
  };
}

// nativeHolder names the process that has flock on the lock file, if one has.
function nativeHolder(files, me) {
  let stat;
  let text;
  try {
    stat = fs.statSync(files.at(LOCK_NAME), { bigint: true });
    text = fs.readFileSync(files.at(LOCK_NAME), "utf8").slice(0, OWNER_BYTES_MAX);
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
  const holder = parseHolder(text);
  for (const line of fs.readFileSync("/proc/locks", "utf8").split("\n")) {
    const [, pid, device, inode] = /FLOCK\s+ADVISORY\s+WRITE\s+(-?[0-9]+)\s+([0-9a-f]+:[0-9a-f]+):([0-9]+)\s/.exec(line) ?? [];
    if (inode === String(stat.ino) && (device === deviceOf(stat.dev) || hasOpen(pid, files))) return holder === undefined ? `process ${pid}` : describe(holder);
  }
  // /proc/locks is silent about the processes of another pid namespace.
  if (holder?.boot === undefined) return undefined;
  const elsewhere = holder.boot === me.boot ? holder.space !== me.space : holder.host !== me.host;
  return elsewhere ? `${describe(holder)} in another container or on another machine; if it is gone, empty the file ${LOCK_NAME} in it` : undefined;
}

// forgetNative empties the lock file of a native process that was killed. None that
// lives writes to it while the owner file is there.
function forgetNative(files) {
  if (fs.existsSync(files.at(LOCK_NAME))) fs.truncateSync(files.at(LOCK_NAME), 0);
}

// deviceOf is a device number as /proc/locks writes it (gnu_dev_major of glibc).
function deviceOf(dev) {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major.toString(16).padStart(2, "0")}:${minor.toString(16).padStart(2, "0")}`;
}

// hasOpen is for file systems that show another device than the one they are on:
// whether the process has the file open, as far as that can be seen.
function hasOpen(pid, files) {
  let links;
  try {
    links = fs.readdirSync(`/proc/${pid}/fd`);
  } catch {
    return true; // it is another user's: to be safe
  }
  const wanted = fs.realpathSync(files.at(LOCK_NAME));
  return links.some((link) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${link}`) === wanted;
    } catch {
      return false; // closed meanwhile
    }
  });
}

function describe({ pid, host, since }) {
  return `process ${pid} on ${host} since ${since}`;
}

function hint(files, owner, me, number) {
  if (owner.boot === me.boot && owner.space === me.space) return "";
  return ` (it runs in another container or on another machine, so nobody here can see whether it is gone: if it is, remove the file ${OWNER_PREFIX}${number} in it)`;
}

function locked(dir, who, more = "") {
  return new IngotError("ERR_LOCKED", `${dir} is in use by ${who}${more}: close the store there, or choose another directory`);
}
