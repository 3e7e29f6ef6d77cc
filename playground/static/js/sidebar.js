/* The list of chats, and who is looking at it. */

import { noteText } from "./bubble.js";
import { avatar, clock, day, el, fill, icon } from "./dom.js";
import { place } from "./layout.js";
import { popover } from "./popover.js";

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });
const KINDS = { photo: "🖼 Photo", document: "📎 File", video: "🎬 Video", animation: "GIF", audio: "🎵 Audio", voice: "🎤 Voice message" };

function summary(message) {
  if (message.service) return noteText(message);
  const kind = message.invoice ? `🧾 ${message.invoice.title}` : KINDS[message.media?.kind];
  return message.text || kind || "";
}

function preview(chat, state) {
  const { last } = chat;
  if (!last) return chat.kind === "private" ? "No messages yet" : membersOf(chat, state);
  const text = summary(last);
  if (last.service) return text;
  return last.from.id === state.person.id ? `You: ${text}` : chat.kind === "private" ? text : `${last.from.name}: ${text}`;
}

function membersOf(chat, state) {
  return [...chat.people.map((id) => state.people.get(id)?.name), ...chat.bots.map((id) => state.bots.get(id).names[""])].join(", ");
}

/** Bring the list up to date; the button that has the focus keeps it. */
export function showChats(node, state, open) {
  const known = new Map([...node.children].map((child) => [child.dataset.chat, child]));
  place(node, state.mine().map((chat) => {
    const item = known.get(chat.key) ?? el("button", { class: "chat-item", type: "button", data: { chat: chat.key },
      onclick: () => open(chat.key) });
    item.setAttribute("aria-current", String(chat.key === state.chat?.key));
    fill(item, chatItem(chat, state));
    return item;
  }));
}

function chatItem(chat, state) {
  const name = state.nameOf(chat);
  const { last } = chat;
  const when = last && (day(last.date) === "Today" ? clock(last.date) : day(last.date));
  return [avatar(name, chat.kind === "private" ? chat.bots[0] : chat.id, chat.kind === "private" ? "person" : "group"),
    el("span", { class: "name", dir: "auto" }, name), el("span", { class: "when" }, when ?? ""),
    el("span", { class: "last", dir: "auto" }, preview(chat, state)),
    chat.unread ? el("span", { class: "unread" }, chat.unread, el("span", { class: "unseen" }, " unread")) : null];
}

const star = () => el("span", { class: "premium", role: "img", "aria-label": "Premium" }, "★");

export function showPerson(node, { person }) {
  fill(node, avatar(person.name, person.id),
    el("span", { class: "who" }, el("b", { dir: "auto" }, person.name, person.premium && star()), el("small", {}, LANGUAGES.of(person.language))), icon("sort"));
  node.setAttribute("aria-label", `You are ${person.name}, ${LANGUAGES.of(person.language)}. Be somebody else`);
}

export function personMenu(parent, opener, state, become, create) {
  const people = [...state.people.values()].map((person) => ({
    label: person.name, note: person.premium ? `★ ${person.language}` : person.language, person,
    checked: person.id === state.person.id, choose: () => become(person),
  }));
  popover(parent, opener, "people-menu", [...people, { label: "New person", symbol: "plus", choose: create }]);
}
