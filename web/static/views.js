// The views of the page: sections of which the address shows one, as #tools or,
// with what is open in it, #tools/NAME.

const viewDefault = "state";

export class Views extends EventTarget {
  #links;
  #sections;
  #absent = new Set();

  constructor(nav, main) {
    super();
    this.#links = [...nav.querySelectorAll("a")];
    this.#sections = new Map([...main.querySelectorAll("section.view")].map((s) => [s.id.replace("view-", ""), s]));
    addEventListener("hashchange", () => this.#show());
    nav.addEventListener("keydown", (event) => this.#step(event));
    this.#show();
  }

  /** The name of the view that is shown. */
  get current() {
    const { name } = this.#address();
    if (this.#sections.has(name) && !this.#absent.has(name)) return name;
    return [viewDefault, ...this.#sections.keys()].find((n) => !this.#absent.has(n));
  }

  /** What is open in the view, or "". */
  get opened() {
    return this.#address().opened;
  }

  /** Says whether a view has anything to show on this server. */
  offer(name, offered) {
    if (offered) this.#absent.delete(name);
    else this.#absent.add(name);
    this.#show();
  }

  #address() {
    const [name, ...rest] = location.hash.slice(1).split("/");
    try {
      return { name, opened: decodeURIComponent(rest.join("/")) };
    } catch {
      return { name, opened: "" }; // a percent sign that somebody typed
    }
  }

  #show() {
    const { current } = this;
    for (const [name, section] of this.#sections) section.hidden = name !== current;
    for (const link of this.#links) {
      const name = link.hash.slice(1);
      link.parentElement.hidden = this.#absent.has(name);
      if (name === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.dispatchEvent(new Event("change"));
  }

  /** The arrows go from one link to the next, beside the tabulator. */
  #step(event) {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    const shown = this.#links.filter((link) => !link.parentElement.hidden);
    const next = shown[(shown.indexOf(document.activeElement) + way + shown.length) % shown.length];
    next.focus();
    event.preventDefault();
  }
}
