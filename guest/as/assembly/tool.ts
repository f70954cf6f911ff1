// The tool and the exports of docs/ABI.md.

import { Failure, Level, log } from "./host";
import { Json, parse } from "./json";
import { Schema } from "./schema";

/** What a tool answers: an object, or a failure. */
export class Result {
  private constructor(readonly value: Json | null, readonly failure: Failure | null) {}

  /** The answer, an object as the output schema has it. */
  static ok(value: Json): Result {
    return new Result(value, null);
  }
  /** What is wrong and how to mend it, with a code for programs. */
  static fail(code: string, message: string): Result {
    return new Result(null, new Failure(code, message));
  }
  /** Passes on a failure, such as the host's. */
  static failed(failure: Failure): Result {
    return new Result(null, failure);
  }
}

/** What a tool says about itself. */
export class Tool {
  private heading: string = "";
  private hints: Json | null = null;
  private arguments: Schema = Schema.object();
  private answers: Schema | null = null;

  constructor(private name: string, private description: string) {}

  /** The name for people; returns the tool. */
  title(title: string): Tool {
    this.heading = title;
    return this;
  }

  /** Hints of the Model Context Protocol; say only what is so. Returns the tool. */
  annotate(readOnly: bool, destructive: bool, idempotent: bool, openWorld: bool): Tool {
    this.hints = Json.object().set("readOnlyHint", Json.bool(readOnly)).set("destructiveHint", Json.bool(destructive))
      .set("idempotentHint", Json.bool(idempotent)).set("openWorldHint", Json.bool(openWorld));
    return this;
  }

  /** The rules of the arguments, an object; returns the tool. */
  input(rules: Schema): Tool {
    this.arguments = rules;
    return this;
  }

  /** The rules of the answer, an object; returns the tool. */
  output(rules: Schema): Tool {
    this.answers = rules;
    return this;
  }

  /** Makes run the module's tool. Its arguments keep to the rules of input. */
  register(run: (args: Json) => Result): void {
    tool = this;
    body = run;
  }

  describe(): string {
    const j = Json.object().set("name", Json.string(this.name));
    if (this.heading != "") j.set("title", Json.string(this.heading));
    j.set("description", Json.string(this.description)).set("inputSchema", this.arguments.toJson());
    const answers = this.answers;
    if (answers !== null) j.set("outputSchema", answers.toJson());
    const hints = this.hints;
    if (hints !== null) j.set("annotations", hints);
    return j.toString();
  }

  run(text: string, call: (args: Json) => Result): Result {
    const parsed = parse(text);
    const args = parsed.value;
    if (args === null) return Result.fail("bad_arguments", parsed.wrong);
    const wrong = this.arguments.fault(args);
    return wrong == "" ? call(args) : Result.fail("bad_arguments", "the arguments" + wrong);
  }
}

let tool: Tool = new Tool("", "");
let body: (args: Json) => Result = (args: Json): Result => Result.fail("no_tool", "the module registers no tool");
// What the host may still read or write.
let input: ArrayBuffer = new ArrayBuffer(0);
let output: ArrayBuffer = new ArrayBuffer(0);

/** Export it from the entry file, as describe and call. */
export function alloc(size: i32): usize {
  __collect(); // between calls nothing is on the stack
  input = new ArrayBuffer(size);
  return changetype<usize>(input);
}

export function describe(): u64 {
  return pack(tool.describe(), 0);
}

export function call(at: usize, size: i32): u64 {
  if (at != changetype<usize>(input) || size != input.byteLength) {
    return failed(new Failure("bad_host", "the host passed arguments that are not where alloc put them"));
  }
  const result = tool.run(String.UTF8.decode(input), body);
  const failure = result.failure;
  if (failure !== null) return failed(failure);
  const value = result.value;
  return value === null ? failed(new Failure("", "")) : pack(value.toString(), 0);
}

function failed(f: Failure): u64 {
  const j = Json.object().set("message", Json.string(f.message == "" ? "the tool failed without a message" : f.message));
  if (f.code != "") j.set("code", Json.string(f.code));
  return pack(j.toString(), 1);
}

/** Packs a result; see docs/ABI.md. */
function pack(text: string, failed: u64): u64 {
  output = String.UTF8.encode(text);
  return <u64>changetype<usize>(output) << 32 | failed << 31 | <u64>output.byteLength;
}

/** What --use abort=… names: it logs why, and ends the instance. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  log(Level.Error, `${message === null ? "aborted" : message} (${file === null ? "" : file}:${line}:${column})`);
  unreachable();
}
