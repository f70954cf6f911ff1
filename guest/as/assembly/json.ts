// A small JSON reader and writer. A value is a tree of Json.

/** What kind of value a Json is. */
export enum Kind {
  Null,
  Bool,
  Integer, // a number without fraction and exponent that fits an i64
  Number,
  String,
  Array,
  Object,
}

/** How deep values may nest. */
const DEPTH_MAX = 100;

/** A JSON value. */
export class Json {
  /** The value of Bool, Integer (1 and 0 for Bool). */
  integer: i64 = 0;
  /** The value of Number, and of Integer as near as it gets. */
  number: f64 = 0;
  /** The value of String. */
  text: string = "";
  /** The items of Array, and the values of Object. */
  items: Json[] = [];
  /** The names of Object's members, at the indexes of their values. */
  names: string[] = [];

  constructor(public kind: Kind) {}

  static null(): Json {
    return new Json(Kind.Null);
  }
  static bool(value: bool): Json {
    const j = new Json(Kind.Bool);
    j.integer = value ? 1 : 0;
    return j;
  }
  static integer(value: i64): Json {
    const j = new Json(Kind.Integer);
    j.integer = value;
    j.number = <f64>value;
    return j;
  }
  static number(value: f64): Json {
    const j = new Json(Kind.Number);
    j.number = value;
    return j;
  }
  static string(value: string): Json {
    const j = new Json(Kind.String);
    j.text = value;
    return j;
  }
  static array(): Json {
    return new Json(Kind.Array);
  }
  static object(): Json {
    return new Json(Kind.Object);
  }

  /** Adds an item to an array; returns the array. */
  push(item: Json): Json {
    this.items.push(item);
    return this;
  }

  /** Adds a member to an object; returns the object. */
  set(name: string, value: Json): Json {
    this.names.push(name);
    this.items.push(value);
    return this;
  }

  /** A member of an object, or null. */
  get(name: string): Json | null {
    const at = this.names.indexOf(name);
    return at < 0 ? null : this.items[at];
  }

  /** A member that is a string, or otherwise. */
  getString(name: string, otherwise: string = ""): string {
    const j = this.get(name);
    return j !== null && j.kind == Kind.String ? j.text : otherwise;
  }

  /** A member that is an integer, or otherwise. */
  getInteger(name: string, otherwise: i64 = 0): i64 {
    const j = this.get(name);
    return j === null ? otherwise : j.whole() ? j.toInteger() : otherwise;
  }

  /** A member that is a number, or otherwise. */
  getNumber(name: string, otherwise: f64 = 0): f64 {
    const j = this.get(name);
    return j !== null && (j.kind == Kind.Number || j.kind == Kind.Integer) ? j.number : otherwise;
  }

  /** A member that is a boolean, or otherwise. */
  getBool(name: string, otherwise: bool = false): bool {
    const j = this.get(name);
    return j !== null && j.kind == Kind.Bool ? j.integer != 0 : otherwise;
  }

  /** Says whether it is a number without fraction that an i64 holds; 2.0 is one. */
  whole(): bool {
    return this.kind == Kind.Integer || (this.kind == Kind.Number && this.number == Math.floor(this.number) && Math.abs(this.number) <= 9007199254740992);
  }

  /** The integer of a whole number. */
  toInteger(): i64 {
    return this.kind == Kind.Integer ? this.integer : <i64>this.number;
  }

  /** What kind of value it is, for messages. */
  describe(): string {
    switch (this.kind) {
      case Kind.Null: return "null";
      case Kind.Bool: return "a boolean";
      case Kind.String: return "a string";
      case Kind.Array: return "an array";
      case Kind.Object: return "an object";
      default: return "a number";
    }
  }

  /** The value as JSON. A number that is not finite is written as null. */
  toString(): string {
    const out: string[] = [];
    this.write(out);
    return out.join("");
  }

  private write(out: string[]): void {
    switch (this.kind) {
      case Kind.Null: out.push("null"); break;
      case Kind.Bool: out.push(this.integer != 0 ? "true" : "false"); break;
      case Kind.Integer: out.push(this.integer.toString()); break;
      case Kind.Number: out.push(numberText(this.number)); break;
      case Kind.String: out.push(quoted(this.text)); break;
      default: {
        const object = this.kind == Kind.Object;
        out.push(object ? "{" : "[");
        for (let i = 0; i < this.items.length; i++) {
          if (i > 0) out.push(",");
          if (object) {
            out.push(quoted(this.names[i]));
            out.push(":");
          }
          this.items[i].write(out);
        }
        out.push(object ? "}" : "]");
      }
    }
  }
}

function numberText(n: f64): string {
  if (!isFinite(n)) return "null";
  const text = n.toString();
  return text.endsWith(".0") ? text.substring(0, text.length - 2) : text;
}

/** A string with its quotes. Half a surrogate pair is written as U+FFFD. */
export function quoted(s: string): string {
  let out = '"';
  let plain = 0; // the first character that is not in out yet
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    let escape = "";
    if (c == 0x22 || c == 0x5c) {
      escape = "\\" + String.fromCharCode(c);
    } else if (c < 0x20) {
      escape = "\\u" + c.toString(16).padStart(4, "0");
    } else if (c >= 0xd800 && c < 0xdc00 && i + 1 < s.length && (s.charCodeAt(i + 1) & 0xfc00) == 0xdc00) {
      i++; // a whole pair
      continue;
    } else if (c >= 0xd800 && c < 0xe000) {
      escape = "\\ufffd";
    } else {
      continue;
    }
    out += s.substring(plain, i) + escape;
    plain = i + 1;
  }
  return out + s.substring(plain) + '"';
}

/** What parse read: the value, or what is wrong when there is none. */
export class Parsed {
  constructor(public value: Json | null, public wrong: string) {}
}

/** Reads one value. */
export function parse(text: string): Parsed {
  const r = new Reader(text);
  const value = r.value(0);
  r.space();
  if (r.wrong == "" && r.at < text.length) r.expected("the end");
  return r.wrong == "" ? new Parsed(value, "") : new Parsed(null, r.wrong);
}

/** Reads a text. After the first fault, wrong is set and values mean nothing. */
class Reader {
  at: i32 = 0;
  wrong: string = "";

  constructor(private text: string) {}

  private peek(): i32 {
    return this.at < this.text.length ? this.text.charCodeAt(this.at) : -1;
  }

  expected(what: string): void {
    if (this.wrong == "") this.wrong = `the JSON lacks ${what} at character ${this.at}`;
  }

  space(): void {
    for (let c = this.peek(); c == 0x20 || c == 0x09 || c == 0x0a || c == 0x0d; c = this.peek()) this.at++;
  }

  /** Takes c if it comes next, after space. */
  private take(c: i32): bool {
    this.space();
    if (this.peek() != c) return false;
    this.at++;
    return true;
  }

  value(depth: i32): Json {
    this.space();
    if (depth > DEPTH_MAX) {
      this.expected(`an end of nesting, ${DEPTH_MAX} deep,`);
      return Json.null();
    }
    switch (this.peek()) {
      case 0x7b: return this.members(Json.object(), 0x7d, depth);
      case 0x5b: return this.members(Json.array(), 0x5d, depth);
      case 0x22: return Json.string(this.string());
      case 0x6e: return this.word("null", Json.null());
      case 0x74: return this.word("true", Json.bool(true));
      case 0x66: return this.word("false", Json.bool(false));
      default: return this.number();
    }
  }

  private word(word: string, value: Json): Json {
    if (this.text.substr(this.at, word.length) == word) this.at += word.length;
    else this.expected("a value");
    return value;
  }

  /** Reads the items of an array, or the members of an object. */
  private members(into: Json, end: i32, depth: i32): Json {
    this.at++; // the opening brace or bracket
    if (this.take(end)) return into;
    while (this.wrong == "") {
      if (into.kind == Kind.Object) {
        this.space();
        if (this.peek() != 0x22) this.expected("a member's name");
        else into.names.push(this.string());
        if (!this.take(0x3a)) this.expected("a colon");
      }
      if (this.wrong != "") break;
      into.items.push(this.value(depth + 1));
      if (this.wrong != "" || this.take(end)) break;
      if (!this.take(0x2c)) this.expected("a comma");
    }
    return into;
  }

  private digits(): bool {
    const start = this.at;
    for (let c = this.peek(); c >= 0x30 && c <= 0x39; c = this.peek()) this.at++;
    return this.at > start;
  }

  private number(): Json {
    const start = this.at;
    if (this.peek() == 0x2d) this.at++;
    const first = this.at;
    let sound = this.digits() && (this.text.charCodeAt(first) != 0x30 || this.at == first + 1);
    const whole = this.at;
    if (sound && this.peek() == 0x2e) {
      this.at++;
      sound = this.digits();
    }
    if (sound && (this.peek() | 0x20) == 0x65) {
      this.at++;
      if (this.peek() == 0x2b || this.peek() == 0x2d) this.at++;
      sound = this.digits();
    }
    if (!sound) {
      this.at = start;
      this.expected(whole == start ? "a value" : "a number");
      return Json.null();
    }
    const text = this.text.substring(start, this.at);
    const n = parseFloat(text);
    // Up to 18 digits always fit an i64.
    return whole == this.at && whole - first <= 18 ? Json.integer(I64.parseInt(text)) : Json.number(n);
  }

  private string(): string {
    let out = "";
    this.at++; // the quote
    let plain = this.at;
    while (true) {
      const c = this.peek();
      if (c == 0x22) {
        out += this.text.substring(plain, this.at);
        this.at++;
        return out;
      }
      if (c < 0x20) {
        this.expected("the end of a string");
        return out;
      }
      if (c != 0x5c) {
        this.at++;
        continue;
      }
      out += this.text.substring(plain, this.at);
      this.at++;
      out += String.fromCharCode(this.escape());
      if (this.wrong != "") return out;
      plain = this.at;
    }
  }

  /** Reads what follows a backslash. Each half of a pair is a character of its own. */
  private escape(): i32 {
    const c = this.peek();
    this.at++;
    switch (c) {
      case 0x22: case 0x5c: case 0x2f: return c;
      case 0x62: return 0x08;
      case 0x66: return 0x0c;
      case 0x6e: return 0x0a;
      case 0x72: return 0x0d;
      case 0x74: return 0x09;
      case 0x75: return this.hex4();
      default:
        this.at--;
        this.expected("an escape");
        return 0;
    }
  }

  private hex4(): i32 {
    let n = 0;
    for (let i = 0; i < 4; i++) {
      const c = this.peek() | 0x20;
      if (this.peek() >= 0x30 && this.peek() <= 0x39) n = n << 4 | (this.peek() - 0x30);
      else if (c >= 0x61 && c <= 0x66) n = n << 4 | (c - 0x61 + 10);
      else {
        this.expected("four hex digits");
        return 0;
      }
      this.at++;
    }
    return n;
  }
}
