// Schemas, written once: the description gets them as JSON Schema, and arguments
// are checked against them before a tool sees them.

import { Json, Kind } from "./json";

/** The rules of one value. */
export class Schema {
  private about: string = "";
  private low: f64 = NaN;
  private high: f64 = NaN;
  private words: string[] = [];
  private item: Schema | null = null;
  private names: string[] = [];
  private members: Schema[] = [];
  private required: string[] = [];

  private constructor(private type: string) {}

  static string(about: string = ""): Schema {
    return new Schema("string").describe(about);
  }
  static integer(about: string = ""): Schema {
    return new Schema("integer").describe(about);
  }
  static number(about: string = ""): Schema {
    return new Schema("number").describe(about);
  }
  static bool(about: string = ""): Schema {
    return new Schema("boolean").describe(about);
  }
  static array(item: Schema, about: string = ""): Schema {
    const s = new Schema("array").describe(about);
    s.item = item;
    return s;
  }
  /** An object with the members that field and optional add, and no others. */
  static object(about: string = ""): Schema {
    return new Schema("object").describe(about);
  }

  private describe(about: string): Schema {
    this.about = about;
    return this;
  }

  /** The least number, length of a string in characters, or length of an array. */
  min(n: f64): Schema {
    this.low = n;
    return this;
  }

  /** The greatest number or length. */
  max(n: f64): Schema {
    this.high = n;
    return this;
  }

  /** The strings that it may be. */
  oneOf(words: string[]): Schema {
    this.words = words;
    return this;
  }

  /** A member that must be there. */
  field(name: string, rules: Schema): Schema {
    this.required.push(name);
    return this.optional(name, rules);
  }

  /** A member that may be absent. */
  optional(name: string, rules: Schema): Schema {
    this.names.push(name);
    this.members.push(rules);
    return this;
  }

  /** The rules as JSON Schema. */
  toJson(): Json {
    const j = Json.object().set("type", Json.string(this.type));
    if (this.about != "") j.set("description", Json.string(this.about));
    if (!isNaN(this.low)) j.set(this.bound("min"), Json.number(this.low));
    if (!isNaN(this.high)) j.set(this.bound("max"), Json.number(this.high));
    if (this.words.length > 0) j.set("enum", strings(this.words));
    const item = this.item;
    if (item !== null) j.set("items", item.toJson());
    if (this.type == "object") {
      const properties = Json.object();
      for (let i = 0; i < this.names.length; i++) properties.set(this.names[i], this.members[i].toJson());
      j.set("properties", properties);
      if (this.required.length > 0) j.set("required", strings(this.required));
      j.set("additionalProperties", Json.bool(false));
    }
    return j;
  }

  private bound(end: string): string {
    if (this.type == "string") return end + "Length";
    if (this.type == "array") return end + "Items";
    return end + "imum";
  }

  /** What is wrong with a value, going on from its name; empty when nothing is. */
  fault(value: Json): string {
    let measure = value.number;
    if (this.type == "string") {
      if (value.kind != Kind.String) return this.not(value);
      if (this.words.length > 0 && !this.words.includes(value.text)) return " must be one of " + this.words.join(", ");
      measure = characters(value.text);
    } else if (this.type == "boolean") {
      return value.kind == Kind.Bool ? "" : this.not(value);
    } else if (this.type == "integer") {
      if (!value.whole()) return this.not(value);
    } else if (this.type == "number") {
      if (value.kind != Kind.Number && value.kind != Kind.Integer) return this.not(value);
    } else if (this.type == "array") {
      if (value.kind != Kind.Array) return this.not(value);
      measure = value.items.length;
    } else {
      return value.kind == Kind.Object ? this.memberFault(value) : this.not(value);
    }
    if (measure < this.low || measure > this.high) {
      return ` is ${value.kind == Kind.String || value.kind == Kind.Array ? "of length " : ""}${measure}, which is out of bounds`;
    }
    const item = this.item;
    for (let i = 0; item !== null && i < value.items.length; i++) {
      const wrong = item.fault(value.items[i]);
      if (wrong != "") return `[${i}]` + wrong;
    }
    return "";
  }

  private not(value: Json): string {
    return ` must be of type ${this.type}, not ${value.describe()}`;
  }

  private memberFault(value: Json): string {
    for (let i = 0; i < this.required.length; i++) {
      if (value.get(this.required[i]) === null) return "." + this.required[i] + " is missing";
    }
    for (let i = 0; i < value.names.length; i++) {
      const at = this.names.indexOf(value.names[i]);
      if (at < 0) return "." + value.names[i] + " is not known";
      const wrong = this.members[at].fault(value.items[i]);
      if (wrong != "") return "." + value.names[i] + wrong;
    }
    return "";
  }
}

function strings(words: string[]): Json {
  const j = Json.array();
  for (let i = 0; i < words.length; i++) j.push(Json.string(words[i]));
  return j;
}

/** The length of a text in characters, as JSON Schema counts. */
function characters(s: string): i32 {
  let n = s.length;
  for (let i = 0; i + 1 < s.length; i++) {
    if ((s.charCodeAt(i) & 0xfc00) == 0xd800 && (s.charCodeAt(i + 1) & 0xfc00) == 0xdc00) n--;
  }
  return n;
}
