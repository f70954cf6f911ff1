// Reading JSON Schema as far as a form needs it: the kinds of its fields, and
// what is wrong with a value, in words. What it does not know it lets pass, and
// the server decides.

const countOf = (n, what) => `${n.toLocaleString("en-US")} ${what}${n === 1 ? "" : "s"}`;

/** The schema that a local $ref names; others as they are. */
export function resolve(schema, root) {
  if (typeof schema !== "object" || schema === null) return {};
  if (!schema.$ref?.startsWith("#/")) return schema;
  let at = root;
  for (const step of schema.$ref.slice(2).split("/")) at = at?.[step.replace(/~1/g, "/").replace(/~0/g, "~")];
  return typeof at === "object" && at !== null ? { ...at, ...schema, $ref: undefined } : schema;
}

/** The one type of a schema beside null, or undefined. */
export function typeOf(schema) {
  const types = [schema.type ?? []].flat().filter((t) => t !== "null");
  return types.length === 1 ? types[0] : undefined;
}

/** The fields of an object's schema, those that are required first; null where a form cannot have them all. */
export function fieldsOf(schema) {
  const { properties = {}, additionalProperties: others, required = [] } = schema;
  if (schema.oneOf || schema.anyOf || schema.allOf || schema.patternProperties || typeof others === "object") return null;
  const fields = Object.entries(properties).map(([name, s]) => ({ name, schema: resolve(s, schema), required: required.includes(name) }));
  return [...fields.filter((f) => f.required), ...fields.filter((f) => !f.required)];
}

/** What a value has to be, in a few words. */
export function rulesOf(schema) {
  const rules = [];
  const say = (name, text) => schema[name] !== undefined && rules.push(text(schema[name]));
  say("minLength", (n) => n > 1 && `at least ${countOf(n, "character")}`);
  say("maxLength", (n) => `at most ${countOf(n, "character")}`);
  say("pattern", (p) => `fits ${p}`);
  say("format", (f) => f);
  say("minimum", (n) => `from ${n}`);
  say("exclusiveMinimum", (n) => `above ${n}`);
  say("maximum", (n) => `up to ${n}`);
  say("exclusiveMaximum", (n) => `below ${n}`);
  say("multipleOf", (n) => `a multiple of ${n}`);
  say("minItems", (n) => `at least ${countOf(n, "item")}`);
  say("maxItems", (n) => `at most ${countOf(n, "item")}`);
  return rules.filter(Boolean).join(", ");
}

const kinds = { null: "null", array: "an array", object: "an object", string: "text", boolean: "true or false", number: "a number", integer: "a whole number" };

function isOf(type, value) {
  switch (type) {
    case "null": return value === null;
    case "array": return Array.isArray(value);
    case "object": return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer": return Number.isInteger(value);
    default: return typeof value === type;
  }
}

const formats = {
  email: /^[^\s@]+@[^\s@]+$/,
  date: /^\d{4}-\d\d-\d\d$/,
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
};

function textProblem(s, value) {
  const length = [...value].length;
  if (length < s.minLength) return `This needs ${countOf(s.minLength, "character")} at least; it has ${length}.`;
  if (length > s.maxLength) return `This may have ${countOf(s.maxLength, "character")} at most; it has ${length}.`;
  if (s.pattern !== undefined && !fits(s.pattern, value)) return `This does not fit the pattern ${s.pattern}.`;
  const known = s.format === "uri" ? URL.canParse(value) : (formats[s.format]?.test(value) ?? true);
  return known ? null : `This is no ${s.format}.`;
}

function fits(pattern, value) {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true; // in a dialect of the server's
  }
}

function numberProblem(s, value) {
  if (value < s.minimum) return `This is ${s.minimum} at least.`;
  if (value > s.maximum) return `This is ${s.maximum} at most.`;
  if (value <= s.exclusiveMinimum) return `This is above ${s.exclusiveMinimum}.`;
  if (value >= s.exclusiveMaximum) return `This is below ${s.exclusiveMaximum}.`;
  const times = value / s.multipleOf;
  return s.multipleOf > 0 && Math.abs(times - Math.round(times)) > 1e-9 ? `This is a multiple of ${s.multipleOf}.` : null;
}

function arrayProblem(s, value, root) {
  if (value.length < s.minItems) return `This needs ${countOf(s.minItems, "item")} at least; it has ${value.length}.`;
  if (value.length > s.maxItems) return `This may have ${countOf(s.maxItems, "item")} at most; it has ${value.length}.`;
  if (s.uniqueItems && new Set(value.map((v) => JSON.stringify(v))).size < value.length) return "This has the same item twice.";
  return firstOf(value.map((v, i) => [`Item ${i + 1}`, v, s.items ?? {}]), root);
}

function objectProblem(s, value, root) {
  const missing = (s.required ?? []).find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${missing} is missing.`;
  const strange = Object.keys(value).find((name) => !Object.hasOwn(s.properties ?? {}, name));
  if (strange !== undefined && s.additionalProperties === false && !s.patternProperties) return `There is no ${strange} here.`;
  return firstOf(Object.entries(value).filter(([name]) => Object.hasOwn(s.properties ?? {}, name)).map(([name, v]) => [name, v, s.properties[name]]), root);
}

function firstOf(parts, root) {
  for (const [name, value, schema] of parts) {
    const problem = problemOf(schema, value, root);
    if (problem !== null) return `${name}: ${problem}`;
  }
  return null;
}

/** What is wrong with a value, or null. */
export function problemOf(schema, value, root = schema) {
  const s = resolve(schema, root);
  const types = [s.type ?? []].flat();
  if (types.length > 0 && !types.some((t) => isOf(t, value))) return `This has to be ${types.map((t) => kinds[t] ?? t).join(" or ")}.`;
  const same = (a) => JSON.stringify(a) === JSON.stringify(value);
  if (s.enum && !s.enum.some(same)) return `This is one of ${s.enum.map((v) => JSON.stringify(v)).join(", ")}.`;
  if (s.const !== undefined && !same(s.const)) return `This is ${JSON.stringify(s.const)}.`;
  if (typeof value === "string") return textProblem(s, value);
  if (typeof value === "number") return numberProblem(s, value);
  if (Array.isArray(value)) return arrayProblem(s, value, root);
  return typeof value === "object" && value !== null ? objectProblem(s, value, root) : null;
}
