/**
 * Write ingot tools in AssemblyScript. A tool is an entry file beside a copy of this folder:
 *
 *     import { Json, Result, Schema, Tool } from "./ingot-guest/assembly";
 *     export { alloc, call, describe } from "./ingot-guest/assembly";
 *
 *     new Tool("shout", "Turns a text to upper case.")
 *       .input(Schema.object().field("text", Schema.string("the text to shout").max(1000)))
 *       .output(Schema.object().field("upper", Schema.string()))
 *       .register((args: Json): Result => Result.ok(Json.object().set("upper", Json.string(args.getString("text").toUpperCase()))));
 *
 * and is built by
 *
 *     asc tool.ts -Osize --runtime minimal --use abort=ingot-guest/assembly/tool/abort -o tool.wasm
 *
 * Caveats. A failed assertion, a null that is read and an index out of bounds end the
 * instance; abort logs why first. The integer of a Json is exact up to 18 digits.
 */
export { Json, Kind, Parsed, parse } from "./json";
export { Schema } from "./schema";
export { Failure, Level, log, progress } from "./host";
export { Result, Tool, alloc, call, describe } from "./tool";
import * as state from "./state";
import * as http from "./http";
export { state, http };
