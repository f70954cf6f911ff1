// HTTP requests that the host makes for the tool, to the hosts that its policy grants.

import { Failure, answer } from "./host";
import { Json, parse } from "./json";

@external("ingot", "http_request")
declare function hostRequest(head: usize, headSize: usize, body: usize, bodySize: usize): u64;

/** A request: new Request("GET", "https://…"). */
export class Request {
  headers: Json = Json.object();
  body: ArrayBuffer = new ArrayBuffer(0);
  /** Bounds this request; 0 is the host's own. */
  timeoutMillis: i64 = 0;

  constructor(public method: string, public url: string) {}

  /** Adds a header; returns the request. */
  header(name: string, value: string): Request {
    this.headers.set(name, Json.string(value));
    return this;
  }

  /** Sets the body; returns the request. */
  text(body: string): Request {
    this.body = String.UTF8.encode(body);
    return this;
  }

  /** Makes the request. A status of 400 and above is no failure. */
  send(): Response {
    const head = Json.object().set("method", Json.string(this.method)).set("url", Json.string(this.url)).set("headers", this.headers);
    if (this.timeoutMillis > 0) head.set("timeoutMillis", Json.integer(this.timeoutMillis));
    const h = String.UTF8.encode(head.toString());
    const r = answer(hostRequest(changetype<usize>(h), h.byteLength, changetype<usize>(this.body), this.body.byteLength));
    const response = new Response();
    response.failure = r.failure;
    if (r.failure !== null) return response;
    const size = <i32>r.number(0, 4);
    const answered = parse(r.text(4, size)).value;
    if (answered === null) {
      response.failure = new Failure("bad_host", "the host's answer to http_request is not what docs/ABI.md has");
      return response;
    }
    response.status = <i32>answered.getInteger("status");
    const headers = answered.get("headers");
    if (headers !== null) response.headers = headers;
    response.body = r.bytes.slice(4 + size);
    return response;
  }
}

/** What came back, whatever its status; or the failure. */
export class Response {
  failure: Failure | null = null;
  status: i32 = 0;
  /** An object: names in lower case, values are strings. */
  headers: Json = Json.object();
  body: ArrayBuffer = new ArrayBuffer(0);

  /** A header by its name in lower case, or the empty string. */
  header(name: string): string {
    return this.headers.getString(name);
  }

  /** The body as text. */
  text(): string {
    return String.UTF8.decode(this.body);
  }
}
