// JSON as text: where it is wrong, and with lines and indents. The text is not parsed
// into values and written again, which would round long numbers and lose repeated names.
// Source of the grammar: RFC 8259.

const depthMax = 500; // of arrays and objects in one another

const space = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /true|false|null/y;
const stringPart = /[^"\\\u0000-\u001f]*/y;
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** What is wrong with a JSON text: { at, line, column, why }, or null. at counts from 0, line and column from 1. */
export function faultOf(text) {
  try {
    scan(text, () => {});
    return null;
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    const before = text.slice(0, fault.at).split("\n");
    return { at: fault.at, line: before.length, column: [...before.at(-1)].length + 1, why: fault.message };
  }
}

/** The fault in words, with its place. */
export const faultText = ({ line, column, why }) => `Line ${line}, column ${column}: ${why}`;

/** The same JSON with a line for each element, two spaces deeper in each level. It must have no fault. */
export function pretty(text) {
  let out = "";
  let depth = 0;
  let before = "";
  const newLine = () => (out += "\n" + "  ".repeat(depth));
  scan(text, (token) => {
    if (token === "}" || token === "]") {
      depth--;
      if (before !== "{" && before !== "[") newLine();
    } else if (before === "{" || before === "[" || before === ",") {
      newLine();
    }
    out += token === ":" ? ": " : token;
    if (token === "{" || token === "[") depth++;
    before = token;
  });
  return out;
}

class Fault extends Error {
  constructor(at, why) {
    super(why);
    this.at = at;
  }
}

/** Hands out the tokens of a JSON text, or throws a Fault. */
function scan(text, take) {
  const scanner = new Scanner(text, take);
  scanner.value(0);
  scanner.end();
}

class Scanner {
  #text;
  #take;
  #at = 0;

  constructor(text, take) {
    this.#text = text;
    this.#take = take;
  }

  value(depth) {
    if (depth > depthMax) throw new Fault(this.#at, `there are more than ${depthMax} levels.`);
    const next = this.#next();
    if (next === "{") return this.#list("}", () => this.#member(depth));
    if (next === "[") return this.#list("]", () => this.value(depth + 1));
    if (next === '"') return this.#string();
    for (const pattern of [number, word]) {
      const found = this.#match(pattern);
      if (found && !/[\w.+-]/.test(this.#text.charAt(this.#at + found.length))) return this.#token(found);
    }
    throw new Fault(this.#at, next === "" ? "the text ends where a value should be." : `a value is missing here; ${shown(next)} begins none.`);
  }

  end() {
    const next = this.#next();
    if (next !== "") throw new Fault(this.#at, `the value is complete, and ${shown(next)} follows.`);
  }

  #list(close, element) {
    this.#token(this.#text[this.#at]);
    if (this.#next() === close) return this.#token(close);
    for (;;) {
      element();
      const next = this.#next();
      if (next === close) return this.#token(close);
      if (next !== ",") throw new Fault(this.#at, next === "" ? `the text ends, and a ${close} is missing.` : `a comma or ${close} is missing before ${shown(next)}.`);
      this.#token(",");
      if (this.#next() === close) throw new Fault(this.#at, `after a comma another element has to come, not ${close}.`);
    }
  }

  #member(depth) {
    const next = this.#next();
    if (next !== '"') throw new Fault(this.#at, next === "" ? "the text ends where a name should be." : `a name in double quotes is missing before ${shown(next)}.`);
    this.#string();
    if (this.#next() !== ":") throw new Fault(this.#at, "a colon is missing behind the name.");
    this.#token(":");
    this.value(depth + 1);
  }

  #string() {
    const from = this.#at;
    let at = from + 1;
    for (;;) {
      at += this.#match(stringPart, at).length;
      const next = this.#text.charAt(at);
      if (next === '"') return this.#token(this.#text.slice(from, at + 1));
      if (next === "") throw new Fault(from, "this string is never closed.");
      if (next !== "\\") throw new Fault(at, next === "\n" ? "a string ends before its line does; write \\n for a new line." : "a control character in a string is written \\u00….");
      const found = this.#match(escaped, at);
      if (!found) throw new Fault(at, "behind a backslash comes one of \" \\ / b f n r t or u with four hex digits.");
      at += found.length;
    }
  }

  #token(text) {
    this.#take(text);
    this.#at += text.length;
  }

  /** The next character that is no white space; "" at the end. */
  #next() {
    this.#at += this.#match(space).length;
    return this.#text.charAt(this.#at);
  }

  #match(pattern, at = this.#at) {
    pattern.lastIndex = at;
    return pattern.exec(this.#text)?.[0] ?? "";
  }
}

const shown = (character) => `“${character}”`;
