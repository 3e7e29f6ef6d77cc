/* The list over the composer: commands, or what a bot answers inline. The focus stays in the text. */

import { el } from "./dom.js";

export class Suggestions {
  /** @param {Element} place where the list goes; @param {Element} input the text it belongs to */
  constructor(place, input) {
    this.place = place;
    this.input = input;
    this.list = null;
  }

  /** Show rows; each is {id, content, choose, className}. Without any, hide. */
  show(label, kind, rows, { preselect = false, note = null, looks = "list" } = {}) {
    this.hide();
    if (!rows.length && !note) return;
    this.list = el("div", { class: `popover suggestions ${kind}`, data: { [kind]: "" } },
      note, el("div", { id: "suggestions", class: looks, role: "listbox", "aria-label": label }, rows.map(({ id, content, choose, className }) =>
        el("div", { id, role: "option", class: className ?? "", "aria-selected": "false",
          onpointerdown: (event) => event.preventDefault(), onclick: choose }, content))));
    this.place.append(this.list);
    this.input.setAttribute("aria-expanded", "true");
    if (preselect && rows.length) this.select(0);
  }

  hide() {
    this.list?.remove();
    this.list = null;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  get rows() {
    return this.list ? [...this.list.querySelectorAll("[role=option]")] : [];
  }

  select(index) {
    const { rows } = this;
    const chosen = rows.at(index % rows.length);
    rows.forEach((row) => row.setAttribute("aria-selected", String(row === chosen)));
    chosen.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", chosen.id);
  }

  /** Handle a key pressed in the text; tells whether it was for the list. */
  key(event) {
    const { rows } = this;
    const at = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
    if (event.key === "Escape" && this.list) this.hide();
    else if (!rows.length) return false;
    else if (event.key === "ArrowDown") this.select(at + 1);
    else if (event.key === "ArrowUp") this.select(at < 0 ? -1 : at - 1);
    else if (at >= 0 && ["Enter", "Tab"].includes(event.key) && !event.shiftKey) rows[at].click();
    else return false;
    return true;
  }
}
