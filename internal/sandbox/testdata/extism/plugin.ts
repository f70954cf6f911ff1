// plugin: an Extism plug-in of version 1 in AssemblyScript, against the documented
// imports. Built by
//
//     asc plugin.ts -Osize --runtime stub --use abort= -o plugin.wasm
//
// (assemblyscript 0.28.20 from npm), and committed so that the tests need no Node.

@external("extism:host/env", "input_length")
declare function input_length(): u64;
@external("extism:host/env", "input_load_u8")
declare function input_load_u8(at: u64): u32;
@external("extism:host/env", "output_set")
declare function output_set(at: u64, size: u64): void;
@external("extism:host/env", "error_set")
declare function error_set(at: u64): void;
@external("extism:host/env", "alloc")
declare function extism_alloc(size: u64): u64;
@external("extism:host/env", "store_u8")
declare function store_u8(at: u64, value: u32): void;

function input(): string {
  const bytes = new ArrayBuffer(<i32>input_length());
  for (let i = 0; i < bytes.byteLength; i++) store<u8>(changetype<usize>(bytes) + i, <u8>input_load_u8(i));
  return String.UTF8.decode(bytes);
}

function put(text: string): u64 {
  const bytes = String.UTF8.encode(text);
  const at = extism_alloc(bytes.byteLength);
  for (let i = 0; i < bytes.byteLength; i++) store_u8(at + i, load<u8>(changetype<usize>(bytes) + i));
  return at;
}

function output(text: string): i32 {
  output_set(put(text), String.UTF8.byteLength(text));
  return 0;
}

export function describe(): i32 {
  return output('{"tools":[{"name":"reverse","description":"Turns a word around.","inputSchema":{"type":"object","properties":{"word":{"type":"string","pattern":"^[a-z]*$"}},"required":["word"]}}]}');
}

export function call(): i32 {
  const request = input(), key = '"word":"';
  const start = request.indexOf(key);
  if (start < 0) {
    error_set(put("word is missing"));
    return 1;
  }
  const word = request.substring(start + key.length, request.indexOf('"', start + key.length));
  return output('{"content":[{"type":"text","text":"' + word.split("").reverse().join("") + '"}]}');
}
