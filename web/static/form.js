// A form that a tool's input schema describes: a control for each field, or the
// arguments as one JSON text. Problems stand below the field that has them.

import { make } from "./dom.js";
import { InputError } from "./problems.js";
import { fieldsOf, problemOf, rulesOf, typeOf } from "./schema.js";

const shortText = 100; // characters: longer ones get room for lines

export class SchemaForm {
  #schema;
  #fields = [];
  #text = null; // the textarea, while the arguments are one JSON text
  element = make("div", { className: "fields" });

  constructor(schema) {
    this.#schema = schema;
    this.#showFields(Object.create(null)) || this.#showText({});
  }

  /** Whether there is a control for each field. */
  get hasFields() {
    return fieldsOf(this.#schema) !== null;
  }

  get isText() {
    return this.#text !== null;
  }

  /** Goes from the controls to JSON or back, with what is filled in; throws where JSON cannot be read. */
  toggle() {
    if (this.isText) this.#showFields(this.#parseText());
    else this.#showText(Object.fromEntries(this.#fields.map((f) => f.readLoosely()).filter(Boolean)));
  }

  /** The arguments; throws an InputError, with the problems shown and the first one in focus. */
  read() {
    if (this.isText) {
      const value = this.#parseText();
      const problem = problemOf(this.#schema, value);
      if (problem !== null) throw new InputError(problem);
      return value;
    }
    const bad = this.#fields.filter((f) => f.check() !== null);
    if (bad.length > 0) {
      bad[0].control.focus();
      throw new InputError(bad.length === 1 ? "One field needs a change." : `${bad.length} fields need a change.`);
    }
    const value = Object.fromEntries(this.#fields.map((f) => f.entry).filter(Boolean));
    const problem = problemOf(this.#schema, value);
    if (problem !== null) throw new InputError(problem);
    return value;
  }

  #parseText() {
    const value = parse(this.#text.value);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new InputError("The arguments are a JSON object, such as {}.");
    return value;
  }

  #showFields(values) {
    const fields = fieldsOf(this.#schema);
    if (fields === null) return false;
    this.#text = null;
    this.#fields = fields.map((field) => new Field(field, this.#schema, values));
    const none = fields.length === 0 ? [make("p", { className: "about", textContent: "This tool takes no arguments." })] : [];
    this.element.replaceChildren(...this.#fields.map((f) => f.element), ...none);
    return true;
  }

  #showText(values) {
    this.#text = make("textarea", { name: "json", rows: 6, spellcheck: false, value: JSON.stringify(values, null, 2) });
    this.element.replaceChildren(make("label", { className: "field" }, make("span", { textContent: "Arguments, as JSON" }), this.#text));
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`This is not JSON: ${error.message}.`);
  }
}

let fieldCount = 0;

/** One argument. */
class Field {
  #name;
  #schema;
  #root;
  #required;
  #problem;
  #choices = null;

  constructor({ name, schema, required }, root, values) {
    Object.assign(this, { control: null, entry: null });
    this.#name = name;
    this.#schema = schema;
    this.#root = root;
    this.#required = required;
    const id = `argument-${++fieldCount}`;
    this.control = this.#makeControl(Object.hasOwn(values, name) ? values[name] : schema.default);
    Object.assign(this.control, { id, name: `argument:${name}` });
    this.#problem = make("p", { id: `${id}-problem`, className: "field-problem" });
    const rules = [kindText(schema), rulesOf(schema)].filter(Boolean).join(", ");
    const about = make("p", { id: `${id}-about`, className: "field-about" });
    about.append(...[schema.description, rules && make("span", { className: "rules", textContent: rules })].filter(Boolean).flatMap((part) => [part, " "]));
    this.control.setAttribute("aria-describedby", `${id}-problem ${id}-about`);
    if (required) this.control.setAttribute("aria-required", "true");
    const label = make("label", { htmlFor: id }, make("span", { className: "field-name", textContent: schema.title ?? name }),
      required ? make("span", { className: "required", textContent: "required" }) : null);
    this.element = make("div", { className: "field argument" }, label, this.control, this.#problem, about);
    this.control.addEventListener("change", () => this.check());
    this.control.addEventListener("input", () => this.#problem.textContent !== "" && this.check());
  }

  /** Checks what is filled in, shows what is wrong with it and returns that, or null. */
  check() {
    let problem = null;
    this.entry = null;
    try {
      const value = this.#value();
      if (value === undefined && this.#required) problem = "This is required.";
      if (value !== undefined) {
        problem = problemOf(this.#schema, value, this.#root);
        this.entry = [this.#name, value];
      }
    } catch (error) {
      problem = error.message;
    }
    this.#problem.textContent = problem ?? "";
    this.control.setAttribute("aria-invalid", String(problem !== null));
    return problem;
  }

  /** What is filled in, right or wrong; nothing where there is nothing, or nothing that can be read. */
  readLoosely() {
    this.check();
    return this.entry;
  }

  #makeControl(value) {
    const s = this.#schema;
    const choices = s.enum ?? (typeOf(s) === "boolean" ? [true, false] : null);
    if (choices) return this.#makeChoice(choices, value);
    const kind = typeOf(s);
    const text = value === undefined ? "" : kind === "string" || typeof value === "number" ? String(value) : JSON.stringify(value, null, 2);
    if (kind === "number" || kind === "integer") return make("input", { type: "text", inputMode: kind === "integer" && s.minimum >= 0 ? "numeric" : "text", value: text, autocomplete: "off" });
    if (kind === "string" && (s.format || s.pattern || s.maxLength <= shortText)) return make("input", { type: "text", value: text, autocomplete: "off", spellcheck: false });
    return make("textarea", { rows: kind === "string" ? 1 : 3, value: text, spellcheck: false, className: kind === "string" ? "line" : "" });
  }

  #makeChoice(choices, value) {
    this.#choices = choices;
    const select = make("select");
    const at = choices.findIndex((c) => JSON.stringify(c) === JSON.stringify(value));
    select.append(make("option", { value: "", textContent: this.#required ? "choose one" : "left out" }));
    choices.forEach((c, i) => select.append(make("option", { value: String(i), textContent: typeof c === "string" ? c : JSON.stringify(c), selected: i === at })));
    return select;
  }

  /** The value, undefined for one that is left out. Empty text cannot be told from none here; JSON can say it. */
  #value() {
    const text = this.control.value;
    if (text.trim() === "" && (text === "" || typeOf(this.#schema) !== "string")) return undefined;
    if (this.#choices) return this.#choices[Number(text)];
    switch (typeOf(this.#schema)) {
      case "string": return text;
      case "number":
      case "integer": return numberOf(text.trim());
      default: return parse(text);
    }
  }
}

function numberOf(text) {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw new InputError("This has to be a number, such as 12 or -0.5.");
  const value = Number(text);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new InputError("This page sends whole numbers exactly up to 9,007,199,254,740,991.");
  return value;
}

const kindText = (schema) => (schema.enum ? "" : { array: "array, as JSON", object: "object, as JSON", undefined: "any JSON", string: "text", boolean: "" }[typeOf(schema)] ?? typeOf(schema));
