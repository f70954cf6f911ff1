// The probe in AssemblyScript; see ../go/main.go.

import { Failure, Json, Level, Result, Schema, Tool, http, log, progress, state } from "../../../../../guest/as/assembly";
export { alloc, call, describe } from "../../../../../guest/as/assembly";

new Tool("probe", "Uses one function of the host.")
  .input(Schema.object().field("op", Schema.string())
    .optional("key", Schema.string()).optional("value", Schema.string()).optional("after", Schema.string())
    .optional("ifVersion", Schema.integer()).optional("millis", Schema.integer()).optional("n", Schema.integer())
    .optional("url", Schema.string()).optional("method", Schema.string()))
  .register(probe);

function probe(args: Json): Result {
  const op = args.getString("op"), key = args.getString("key"), value = args.getString("value");
  const ifVersion = args.getInteger("ifVersion", state.ALWAYS), millis = args.getInteger("millis"), n = args.getInteger("n");
  const out = Json.object();
  let failure: Failure | null = null;
  if (op == "get") {
    const entry = state.get(key);
    failure = entry.failure;
    out.set("value", Json.string(entry.text())).set("version", Json.integer(<i64>entry.version));
  } else if (op == "set") {
    const version = state.setText(key, value, millis, ifVersion);
    failure = version.failure;
    out.set("version", Json.integer(version.value));
  } else if (op == "delete") {
    failure = state.remove(key, ifVersion);
  } else if (op == "increment") {
    const sum = state.increment(key, n, millis);
    failure = sum.failure;
    out.set("sum", Json.integer(sum.value));
  } else if (op == "list") {
    const found = state.list(key, args.getString("after"), <i32>n);
    failure = found.failure;
    const keys = Json.array();
    for (let i = 0; i < found.keys.length; i++) keys.push(Json.string(found.keys[i]));
    out.set("keys", keys);
  } else if (op == "http") {
    const request = new http.Request(args.getString("method", "GET"), args.getString("url")).header("X-Said", "hi").text(value);
    request.timeoutMillis = millis;
    const response = request.send();
    failure = response.failure;
    out.set("status", Json.integer(response.status)).set("value", Json.string(response.text())).set("seen", Json.string(response.header("x-seen")));
  } else if (op == "progress") {
    progress(1, 2, "half");
    progress(2, 2);
  } else if (op == "log") {
    log(Level.Debug, "at debug");
    log(Level.Info, "at info");
    log(Level.Warn, "at warn");
    log(Level.Error, "at error");
  } else if (op == "panic") {
    assert(false, "on request");
  } else {
    return Result.fail("bad_op", "there is no such op");
  }
  return failure === null ? Result.ok(out) : Result.failed(failure);
}
