/* Menus that open beside what opened them. */

import { avatar, el, icon } from "./dom.js";

/** Open a menu under `parent`; closes on a choice, a click elsewhere, Tab or Escape. */
export function popover(parent, opener, className, entries) {
  const expanded = (is) => opener.hasAttribute("aria-haspopup") && opener.setAttribute("aria-expanded", String(is));
  const close = () => {
    node.remove();
    expanded(false);
    document.removeEventListener("pointerdown", outside, true);
  };
  const outside = (event) => !node.contains(event.target) && !opener.contains(event.target) && close();
  const node = el("div", { class: `popover ${className}`, role: "menu", "aria-label": opener.getAttribute("aria-label"),
    onkeydown: (event) => {
      const buttons = [...node.querySelectorAll("button")];
      const at = buttons.indexOf(document.activeElement);
      if (event.key === "Escape" || event.key === "Tab") { close(); opener.focus(); }
      else if (event.key === "ArrowDown") buttons[(at + 1) % buttons.length].focus();
      else if (event.key === "ArrowUp") buttons.at(at - 1).focus();
      else if (event.key === "Home") buttons[0].focus();
      else if (event.key === "End") buttons.at(-1).focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    } }, entries.map((entry) => row(entry, () => { close(); opener.focus(); entry.choose(); })));
  parent.append(node);
  expanded(true);
  document.addEventListener("pointerdown", outside, true);
  node.querySelector("button").focus();
  return close;
}

function row({ label, note, symbol, person, checked, compact }, choose) {
  const isRadio = checked !== undefined;
  const common = { type: "button", role: isRadio ? "menuitemradio" : "menuitem",
    "aria-checked": isRadio ? String(checked) : null, onclick: choose };
  if (compact) return el("button", { ...common, class: "compact", "aria-label": note }, label);
  return el("button", common, person ? avatar(person.name, person.id) : icon(symbol), el("b", {}, label), note && el("small", {}, note));
}
