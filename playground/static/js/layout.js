/* What stands between messages, and how a list of nodes is brought up to date. */

import { avatar, el } from "./dom.js";

const TOGETHER_S = 600;

export function dayMark(label) {
  return el("div", { class: "day" }, label);
}

/** What an empty chat shows. */
export function aboutCard({ bot, name, text }) {
  return el("div", { class: "about", data: { about: "" } }, avatar(name, bot.id),
    el("h2", {}, text ? "What can this bot do?" : name), text && el("p", {}, text));
}

/** Move, insert and remove only what differs, so that pictures and focus stay alive. */
export function place(list, wanted) {
  const keep = new Set(wanted);
  [...list.children].forEach((child) => keep.has(child) || child.remove());
  let after = list.firstChild;
  for (const node of wanted) {
    if (node === after) after = after.nextSibling;
    else list.insertBefore(node, after);
  }
}

/** Messages of one sender that follow each other soon form a block. */
export function joinNeighbours(nodes) {
  nodes.forEach((node, index) => {
    if (!node.classList.contains("message") || node.classList.contains("draft")) return;
    const joins = (other) => other?.dataset.sender === node.dataset.sender
      && Math.abs(other.dataset.date - node.dataset.date) < TOGETHER_S;
    node.classList.toggle("first", !joins(nodes[index - 1]));
    node.classList.toggle("tail", !joins(nodes[index + 1]));
  });
}
