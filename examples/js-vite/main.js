import { open } from "ingot-state";

const store = await open();
const [form, note, notes] = ["form", "note", "notes"].map((id) => document.getElementById(id));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const number = store.increment("count");
  store.set(`note/${String(number).padStart(6, "0")}`, note.value);
  form.reset();
  show();
});

function show() {
  notes.replaceChildren(...[...store.entries("note/")].map(([, value]) => {
    const item = document.createElement("li");
    item.textContent = new TextDecoder().decode(value);
    return item;
  }));
}
