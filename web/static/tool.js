// A tool in WebAssembly, chosen by the visitor and run in this tab.

import { countText } from "./value.js";

// A call runs on the page's own thread, so it may burn less than elsewhere:
// about a tenth of a second.
const fuelMax = 100_000_000;
const linesShown = 100;

export class ToolRunner {
  #element;
  #form;
  #store;
  #bytes = null;
  #tool = null;
  #last = Promise.resolve();

  constructor(element, store) {
    this.#element = element;
    this.#form = element.querySelector("form");
    this.#store = store;
    this.#form.file.addEventListener("change", () => this.#guard(() => this.#choose()));
    this.#form.policy.addEventListener("change", () => this.#guard(() => this.#load()));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#guard(() => this.#run());
    });
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  /** Does something after what was begun before, and shows why it failed. */
  #guard(act) {
    this.#last = this.#last.then(() => this.#attempt(act));
  }

  async #attempt(act) {
    this.#find(".problem").textContent = "";
    try {
      await act();
    } catch (error) {
      this.#find(".problem").textContent = error.code ? `${error.message} (${error.guestCode ?? error.code})` : error.message;
    }
  }

  async #choose() {
    const [file] = this.#form.file.files;
    this.#bytes = file ? await file.arrayBuffer() : null;
    await this.#load();
  }

  /** Loads the file under the grants as they are now. What is shown stays in place meanwhile, and so does the focus in it. */
  async #load() {
    const before = this.#tool?.name;
    this.#tool?.close();
    this.#tool = null;
    try {
      this.#tool = await this.#loaded();
    } finally {
      this.#find(".loaded").hidden = this.#tool === null;
    }
    if (this.#tool !== null) this.#show(this.#tool.description, before);
  }

  async #loaded() {
    if (this.#bytes === null) return null;
    const policy = parsed(this.#form.policy.value || "{}", "The grants");
    const { loadTool } = await import("/js/tools/index.js");
    return loadTool(this.#bytes, {
      store: this.#store,
      policy: { ...policy, limits: { fuel: fuelMax, ...policy.limits } },
      onLog: (line) => this.#log(line),
    });
  }

  #show({ title, name, description, inputSchema }, before) {
    this.#find("h3").textContent = title || name;
    this.#find(".about").textContent = description;
    if (name === before) return;
    this.#form.args.value = JSON.stringify(example(inputSchema), null, 2);
    this.#find(".note").textContent = "";
    this.#find(".result").hidden = true;
    this.#find(".log").replaceChildren();
  }

  async #run() {
    if (this.#tool === null) throw new Error("No tool is loaded: choose a file that can be.");
    const args = parsed(this.#form.args.value, "The arguments");
    this.#find(".log").replaceChildren();
    this.#find(".result").hidden = true;
    const note = this.#find(".note");
    note.textContent = "Running …";
    try {
      const { result, fuel } = await this.#tool.call(args, {
        onProgress: ({ progress, total, message }) => (note.textContent = `${progress}${total ? ` of ${total}` : ""} ${message}`),
      });
      note.textContent = `Done, with ${countText(fuel)} units of fuel.`;
      this.#find(".result").textContent = JSON.stringify(result, null, 2);
      this.#find(".result").hidden = false;
    } catch (error) {
      note.textContent = "It failed.";
      throw error;
    }
  }

  #log({ level, text }) {
    const log = this.#find(".log");
    const line = document.createElement("li");
    line.textContent = `${level}: ${text}`;
    if (log.childElementCount < linesShown) log.append(line);
  }
}

function parsed(text, what) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${what} must be JSON: ${error.message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} must be a JSON object, such as {}.`);
  return value;
}

/** The arguments that a schema asks for, with empty values. */
function example(schema) {
  const empty = { string: "", number: 0, integer: 0, boolean: false, array: [], object: {} };
  const wanted = schema.required ?? Object.keys(schema.properties ?? {}).slice(0, 1);
  return Object.fromEntries(wanted.map((name) => [name, empty[schema.properties?.[name]?.type] ?? null]));
}
