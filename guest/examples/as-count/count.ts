// count: a tool that counts the words of a text and keeps a running total in the host's
// state. go-count, rust-count and c-count are the same tool in other languages.

import { Json, Level, Result, Schema, Tool, log, state } from "../../as/assembly";
export { alloc, call, describe } from "../../as/assembly";

new Tool("count_as", "Counts the words, lines and bytes of a text, and adds the words to a running total.")
  .title("Word counter (AssemblyScript)")
  .annotate(false, false, false, false)
  .input(Schema.object()
    .field("text", Schema.string("the text to count").max(100000))
    .optional("counter", Schema.string("which running total to add to; all by default").min(1).max(64)))
  .output(Schema.object()
    .field("words", Schema.integer("runs of anything but spaces, tabs and line breaks"))
    .field("lines", Schema.integer("lines, the last one counted even without a line break"))
    .field("bytes", Schema.integer("length in UTF-8"))
    .field("total", Schema.integer("words under this counter, this call included")))
  .register(count);

/** Counts one text. */
function count(args: Json): Result {
  const text = args.getString("text");
  const counter = args.getString("counter", "all");
  for (let i = 0; i < counter.length; i++) {
    const c = counter.charCodeAt(i);
    if ((c < 0x61 || c > 0x7a) && (c < 0x30 || c > 0x39) && c != 0x2d) {
      return Result.fail("bad_counter", "a counter's name has the characters a-z, 0-9 and - only");
    }
  }
  let words = 0, lines = 0;
  let inWord = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const space = c == 0x20 || c == 0x09 || c == 0x0a || c == 0x0d;
    if (!space && !inWord) words++;
    if (c == 0x0a) lines++;
    inWord = !space;
  }
  if (text.length > 0 && !text.endsWith("\n")) lines++;
  const total = state.increment("count/" + counter, words);
  const failure = total.failure;
  if (failure !== null) return Result.failed(failure);
  log(Level.Info, `counted ${words} words`);
  return Result.ok(Json.object()
    .set("words", Json.integer(words))
    .set("lines", Json.integer(lines))
    .set("bytes", Json.integer(String.UTF8.byteLength(text)))
    .set("total", Json.integer(total.value)));
}
