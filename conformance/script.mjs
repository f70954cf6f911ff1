// The script format of README.md: parsing, and how bytes are printed. It is the
// twin of script_test.go and runs in Node and in browsers.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * rewrite runs a script: every command goes to `run`, and what it prints takes
 * the place of the lines that stood under the command. A script that conforms
 * comes out as it went in.
 * @param {string} script
 * @param {(command: object) => Promise<string>} run
 */
export async function rewrite(script, run) {
  const lines = script.replace(/\n$/, "").split("\n");
  let out = "";
  for (let i = 0; i < lines.length; ) {
    const line = lines[i++];
    if (line === "" || line.startsWith("#")) {
      out += `${line}\n`;
      continue;
    }
    if (!line.startsWith("> ")) throw new Error(`line ${i} is no comment, no command and no output: ${line}`);
    const command = parse(line.slice(2));
    out += `${line}\n`;
    for (; i < lines.length && lines[i].startsWith("+ "); i++) {
      command.lines.push(parse(lines[i].slice(2)));
      out += `${lines[i]}\n`;
    }
    while (i < lines.length && !/^($|#|> )/.test(lines[i])) i++; // the output that was expected
    out += `${await run(command)}\n`;
  }
  return out;
}

// The options that have no value.
const FLAGS = new Set(["keepTtl", "ifAbsent", "values"]);

// A word is a run of quoted strings and anything but spaces and quotes.
const WORD = /(?:"(?:[^"\\]|\\.)*"|[^\s"])+/g;

function parse(line) {
  const [name, ...rest] = line.match(WORD);
  const command = { name, words: [], options: {}, lines: [] };
  for (const word of rest) {
    const option = /^([a-zA-Z]+)=(.*)$/s.exec(word);
    if (option !== null) command.options[option[1]] = option[2];
    else if (FLAGS.has(word)) command.options[word] = true;
    else command.words.push(word);
  }
  return command;
}

/** parseBytes reads "text" as a string, and 0xHEX as bytes; either with *COUNT behind it. */
export function parseBytes(word) {
  const [, content, count = "1"] = /^("(?:[^"\\]|\\.)*"|0x[0-9a-f]*)(?:\*(\d+))?$/s.exec(word) ?? wrong(word);
  if (content.startsWith('"')) return JSON.parse(content).repeat(Number(count));
  const digits = content.slice(2).repeat(Number(count));
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

function wrong(word) {
  throw new Error(`the script is wrong: ${word} is neither a JSON string nor 0xHEX`);
}

/** asBytes turns what parseBytes gave into bytes. */
export function asBytes(bytes) {
  return typeof bytes === "string" ? encoder.encode(bytes) : bytes;
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** parseDuration reads 100ms, 0.5s, 3m, 2h or 10d, in milliseconds. */
export function parseDuration(word) {
  const [, number, unit] = /^([+-]?[0-9.]+)(ms|s|m|h|d)$/.exec(word) ?? wrong(word);
  return Number(number) * UNITS[unit];
}

const SHOWN_BYTES_MAX = 64;

/** showBytes prints text in quotes where it is UTF-8 without control characters, else 0xHEX. */
export function showBytes(bytes) {
  if (bytes.length > SHOWN_BYTES_MAX && bytes.every((byte) => byte === bytes[0])) {
    return `${showBytes(bytes.subarray(0, 1))}*${bytes.length}`;
  }
  const text = plainText(bytes);
  if (text === undefined) return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

function plainText(bytes) {
  if (bytes.some((byte) => byte < 0x20 || byte === 0x7f)) return undefined;
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
