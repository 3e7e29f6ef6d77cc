/* Message entities as DOM nodes. Offsets are UTF-16 units, which is what JavaScript counts in. */

import { el } from "./dom.js";

const SAFE = new Set(["http:", "https:", "tg:", "mailto:", "tel:"]);
const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code",
  blockquote: "blockquote", expandable_blockquote: "blockquote", pre: "pre",
};
const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

/** As many as the server keeps; also how deep they can nest. */
const MAX_ENTITIES = 100;

/** Render a text; `onCommand` is called with a command that was pressed. */
export function richText(text, entities, onCommand) {
  const sorted = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length).slice(0, MAX_ENTITIES);
  return pieces(text, 0, text.length, sorted, onCommand);
}

function pieces(text, start, end, entities, onCommand) {
  const nodes = [];
  let position = start;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const from = Math.max(entity.offset, position);
    const to = Math.min(entity.offset + entity.length, end);
    index += 1;
    if (from >= to) continue;
    if (from > position) nodes.push(text.slice(position, from));
    const inner = [];
    while (index < entities.length && entities[index].offset < to) inner.push(entities[index++]);
    // What crosses the end of this entity is continued behind it.
    const rest = inner.filter((other) => other.offset + other.length > to);
    nodes.push(wrap(entity, text.slice(from, to), pieces(text, from, to, inner, onCommand), onCommand));
    // A block breaks the line by itself.
    position = BLOCKS.has(entity.type) && text[to] === "\n" ? to + 1 : to;
    entities = [...entities.slice(0, index), ...rest, ...entities.slice(index)];
  }
  if (position < end) nodes.push(text.slice(position, end));
  return nodes;
}

function wrap(entity, source, inner, onCommand) {
  switch (entity.type) {
    case "text_link": return link(entity.url, inner);
    case "url": return link(source.includes("://") ? source : `https://${source}`, inner);
    case "email": return link(`mailto:${source}`, inner);
    case "bot_command":
      return el("button", { class: "command", type: "button", onclick: () => onCommand(source) }, inner);
    case "spoiler": return spoiler(inner);
    case "pre": return el("pre", { data: entity.language ? { language: entity.language } : {} }, inner);
    case "expandable_blockquote": return expandable(inner);
    case "mention": case "hashtag": case "cashtag": return el("span", { class: "mark" }, inner);
    default: return TAGS[entity.type] ? el(TAGS[entity.type], {}, inner) : el("span", {}, inner);
  }
}

export function link(address, inner, className) {
  let safe = false;
  try {
    safe = SAFE.has(new URL(address, location.href).protocol);
  } catch { /* not an address: shown as plain text */ }
  if (!safe) return el("span", { class: className }, inner);
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer", class: className }, inner);
}

/** What a <button> does by itself, for text that has to flow on like text. */
function pressable(press) {
  return { role: "button", tabindex: "0", onclick: press, onkeydown: (event) => {
    if (event.target !== event.currentTarget || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    press();
  } };
}

function spoiler(inner) {
  const reveal = () => {
    node.classList.remove("closed");
    for (const name of ["role", "tabindex", "aria-label"]) node.removeAttribute(name);
    hidden.inert = false;
  };
  // Hidden from readers too, and its links from the keyboard, until it is revealed.
  const hidden = el("span", { inert: true }, inner);
  const node = el("span", { class: "spoiler closed", "aria-label": "Hidden text", ...pressable(reveal) }, hidden);
  return node;
}

function expandable(inner) {
  const toggle = () => node.setAttribute("aria-expanded", String(!node.classList.toggle("closed")));
  const node = el("blockquote", { class: "closed", "aria-expanded": "false", ...pressable(toggle) }, inner);
  // Nothing to expand where all of it fits; known once it is laid out.
  requestAnimationFrame(() => {
    if (node.scrollHeight > node.clientHeight + 2) return;
    node.classList.remove("closed");
    for (const name of ["role", "tabindex", "aria-expanded"]) node.removeAttribute(name);
  });
  return node;
}
