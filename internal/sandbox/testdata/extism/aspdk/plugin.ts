// A plug-in of version 1 with Extism's own PDK for AssemblyScript.
import { Config, Host, Var } from "@extism/as-pdk";

function fail(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}

export function describe(): i32 {
  Host.outputString('{"tools":[{"name":"vowels","description":"Counts vowels.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]}');
  return 0;
}

export function call(): i32 {
  const input = Host.inputString();
  const start = input.indexOf('"text":"') + 8;
  const text = input.substring(start, input.indexOf('"', start));
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    if ("aeiouAEIOU".includes(text.charAt(i))) count++;
  }
  const before = Var.get("total");
  const total = count + (before === null ? 0 : <i32>parseInt(String.UTF8.decode(before.buffer)));
  Var.set("total", Uint8Array.wrap(String.UTF8.encode(total.toString())));
  Var.set("again", Uint8Array.wrap(String.UTF8.encode("x")));
  Var.remove("again");
  const unit = Config.get("unit");
  const again = Var.get("again") === null ? "gone" : "there";
  Host.outputString('{"content":[{"type":"text","text":"' + count.toString() + " of " + total.toString() + " " + (unit === null ? "none" : unit) + " " + again + '"}]}');
  return 0;
}
