// The imports of docs/ABI.md, and what all of them share.

@external("ingot", "log")
declare function hostLog(level: i32, at: usize, size: usize): void;
@external("ingot", "progress")
declare function hostProgress(progress: f64, total: f64, at: usize, size: usize): void;
@external("ingot", "reply")
declare function hostReply(to: usize): void;

/** How much a log line matters. */
export enum Level {
  Debug,
  Info,
  Warn,
  Error,
}

/** Writes one line to the host's log. The host bounds what a call may log. */
export function log(level: Level, line: string): void {
  const bytes = String.UTF8.encode(line);
  hostLog(level, changetype<usize>(bytes), bytes.byteLength);
}

/**
 * Tells the caller how far the call is. total is 0 when it is not known; the message may be
 * empty. Each report must be greater than the last.
 */
export function progress(progress: f64, total: f64 = 0, message: string = ""): void {
  const bytes = String.UTF8.encode(message);
  hostProgress(progress, total, changetype<usize>(bytes), bytes.byteLength);
}

/**
 * What is wrong. The codes of the host are not_found, denied, limit, invalid, conflict,
 * unavailable and timeout; a message of denied names the grant that is missing.
 */
export class Failure {
  constructor(public code: string, public message: string) {}
}

const codes: StaticArray<string> = ["", "not_found", "denied", "limit", "invalid", "conflict", "unavailable", "timeout"];

/** An answer of the host: its bytes, or the failure. */
export class Reply {
  failure: Failure | null = null;
  constructor(public bytes: ArrayBuffer) {}

  /** The number of size bytes at an offset, little-endian; 0 beyond the end. */
  number(at: i32, size: i32): u64 {
    let n: u64 = 0;
    for (let i = at + size - 1; i >= at; i--) {
      n = n << 8 | (i < this.bytes.byteLength ? <u64>load<u8>(changetype<usize>(this.bytes) + i) : 0);
    }
    return n;
  }

  /** The text of size bytes at an offset, cut at the end. */
  text(at: i32, size: i32): string {
    const start = min(at, this.bytes.byteLength);
    return String.UTF8.decodeUnsafe(changetype<usize>(this.bytes) + start, min(size, this.bytes.byteLength - start));
  }
}

/** Splits an answer of the host and fetches its reply. */
export function answer(packed: u64): Reply {
  const code = <u32>(packed >> 32);
  const reply = new Reply(new ArrayBuffer(<i32>packed));
  if (<u32>packed > 0) hostReply(changetype<usize>(reply.bytes));
  if (code != 0) {
    const name = code < <u32>codes.length ? codes[code] : "unavailable";
    reply.failure = new Failure(name, reply.text(0, reply.bytes.byteLength));
  }
  return reply;
}
