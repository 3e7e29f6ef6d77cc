/* The buttons under a message. What each kind does is one row of a table. */

import { el, icon } from "./dom.js";
import { link } from "./richtext.js";

const STYLES = new Set(["primary", "success", "danger"]);

/** field of a button -> the mark in its corner, and what a press does */
const KINDS = {
  callback_data: { press: (at) => at.actions.press(at.node, at.message, at.row, at.column) },
  copy_text: { symbol: "copy", press: (at) => at.actions.copy(at.button.copy_text.text) },
  web_app: { symbol: "app", press: (at) => at.actions.openApp({ message: at.message, row: at.row, column: at.column }) },
  pay: { symbol: "pay", press: (at) => at.actions.pay(at.message) },
  switch_inline_query: { symbol: "inline", press: (at) => at.actions.inlineElsewhere(at.message, at.button.switch_inline_query) },
  switch_inline_query_chosen_chat: { symbol: "inline",
    press: (at) => at.actions.inlineElsewhere(at.message, at.button.switch_inline_query_chosen_chat.query ?? "") },
  switch_inline_query_current_chat: { symbol: "inline",
    press: (at) => at.actions.inlineHere(at.message, at.button.switch_inline_query_current_chat) },
};

export function keyboard(message, view) {
  return el("div", { class: "keys" }, message.keyboard.map((buttons, row) =>
    el("div", {}, buttons.map((button, column) => key({ button, message, row, column, actions: view.actions })))));
}

function key(at) {
  const { button, row, column } = at;
  const style = STYLES.has(button.style) ? ` ${button.style}` : "";
  const data = { row, column, style: button.style ?? "" };
  const address = button.url ?? button.login_url?.url;
  if (address !== undefined) {
    const node = link(address, [button.text, icon("link", "corner")], `key${style}`);
    Object.assign(node.dataset, data);
    return node;
  }
  const kind = Object.keys(KINDS).find((field) => field in button);
  const node = el("button", { class: `key${style}`, type: "button", data, disabled: "disabled" in button },
    kind === "pay" ? button.text.replaceAll("XTR", "⭐") : button.text);
  if (!kind) return node;
  const { symbol, press } = KINDS[kind];
  if (symbol) node.append(icon(symbol, "corner"));
  node.addEventListener("click", () => press({ ...at, node }));
  return node;
}
