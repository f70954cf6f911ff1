// The switch that offers this tab's keys to the browser's own agent (WebMCP).

import { problemText } from "./problems.js";

export class AgentSwitch {
  #root;
  #store;
  #registered = null;
  #turn = Promise.resolve();

  constructor(root, store) {
    this.#root = root;
    this.#store = store;
    const offered = typeof document.modelContext?.registerTool === "function";
    for (const input of root.querySelectorAll("input")) input.disabled = !offered;
    this.#say(offered ? "Off: the agent knows of nothing here." : "This browser has none: it lacks document.modelContext.");
    for (const input of root.querySelectorAll("input")) {
      input.addEventListener("change", () => (this.#turn = this.#turn.then(() => this.#change())));
    }
  }

  #input(name) {
    return this.#root.querySelector(`[name=${name}]`);
  }

  #say(text) {
    this.#root.querySelector(".note").textContent = text;
  }

  /** Registers what is asked for now, in place of what was. */
  async #change() {
    this.#root.querySelector(".problem").textContent = "";
    try {
      await this.#registered?.close();
      this.#registered = null;
      if (this.#input("agent").checked) {
        const { registerWebMCP } = await import("/js/mcp/index.js");
        this.#registered = await registerWebMCP(this.#store, { readOnly: this.#input("agent-reads").checked });
      }
      this.#say(this.#registered ? `On: ${this.#registered.tools.join(", ")}.` : "Off: the agent knows of nothing here.");
    } catch (error) {
      this.#input("agent").checked = false;
      this.#say("Off: the agent knows of nothing here.");
      this.#root.querySelector(".problem").textContent = problemText(error);
    }
  }
}
