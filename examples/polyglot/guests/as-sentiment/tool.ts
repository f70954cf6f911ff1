// as_sentiment: whether a text sounds glad or sad, by words that are known to be.

import { Json, Result, Schema, Tool } from "../../../../guest/as/assembly";
export { alloc, call, describe } from "../../../../guest/as/assembly";

const glad = ["amazing", "excellent", "fine", "good", "great", "happy", "love", "wonderful"];
const sad = ["awful", "bad", "broken", "hate", "poor", "sad", "terrible", "wrong"];

new Tool("as_sentiment", "Says whether an English text sounds positive, negative or neutral.")
  .annotate(true, false, true, false)
  .input(Schema.object()
    .field("text", Schema.string("the text").min(1).max(100000)))
  .output(Schema.object()
    .field("sentiment", Schema.string("positive, negative or neutral"))
    .field("score", Schema.integer("glad words less sad ones"))
    .field("words", Schema.integer("how many words there are")))
  .register(sentiment);

/** The tool. */
function sentiment(args: Json): Result {
  const text = args.getString("text").toLowerCase();
  let score = 0, words = 0, word = "";
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 0x20;
    if (c >= 0x61 && c <= 0x7a) {
      word += String.fromCharCode(c);
      continue;
    }
    if (word.length == 0) continue;
    words++;
    if (glad.includes(word)) score++;
    if (sad.includes(word)) score--;
    word = "";
  }
  const sounds = score > 0 ? "positive" : score < 0 ? "negative" : "neutral";
  return Result.ok(Json.object()
    .set("sentiment", Json.string(sounds))
    .set("score", Json.integer(score))
    .set("words", Json.integer(words)));
}
