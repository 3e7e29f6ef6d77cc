/* A sentence that floats over the page for a moment. */

import { el } from "./dom.js";

const SHORTEST_MS = 2500;
const PER_CHARACTER_MS = 70;

export function toast(text) {
  const node = el("div", { class: "toast", data: { toast: "" } }, text);
  // What a modal dialog covers could not be seen or heard.
  const dialogs = document.querySelectorAll("dialog[open]");
  const place = document.getElementById("toasts");
  (dialogs[dialogs.length - 1] ?? document.body).append(place);
  place.append(node);
  setTimeout(() => node.remove(), Math.max(SHORTEST_MS, text.length * PER_CHARACTER_MS));
}

/** Do something that may be refused; the refusal is shown, and null is given in its place. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return null;
  }
}
