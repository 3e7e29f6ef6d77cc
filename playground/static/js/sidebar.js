/* The list of chats, and who is looking at it. */

import { avatar, clock, day, el, fill, icon } from "./dom.js";
import { popover } from "./overlays.js";

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });
const KINDS = { photo: "🖼 Photo", document: "📎 File", video: "🎬 Video", animation: "GIF", audio: "🎵 Audio" };

export function chatName(chat, state) {
  if (chat.kind !== "private") return chat.title;
  const bot = state.bots.get(chat.bots[0]);
  return bot.names[state.person.language] || bot.names[""];
}

function preview(chat, state) {
  const last = chat.last;
  if (!last) return chat.kind === "private" ? "No messages yet" : membersOf(chat, state);
  const text = last.text || KINDS[last.media?.kind] || "";
  return last.from.id === state.person.id ? `You: ${text}` : chat.kind === "private" ? text : `${last.from.name}: ${text}`;
}

function membersOf(chat, state) {
  return [...chat.people.map((id) => state.people.get(id)?.name), ...chat.bots.map((id) => state.bots.get(id).names[""])].join(", ");
}

export function showChats(node, state, open) {
  const mine = [...state.chats.values()].filter((chat) => chat.people.includes(state.person.id));
  mine.sort((a, b) => (b.last?.id ?? 0) - (a.last?.id ?? 0) || a.people.length - b.people.length);
  fill(node, mine.map((chat) => {
    const name = chatName(chat, state);
    const { last } = chat;
    const when = last && (day(last.date) === "Today" ? clock(last.date) : day(last.date));
    return el("button", { class: "chat-item", type: "button", data: { chat: chat.key },
      "aria-current": String(chat.key === state.chat?.key), onclick: () => open(chat) },
    avatar(name, chat.kind === "private" ? chat.bots[0] : chat.id, chat.kind === "private" ? "person" : "group"),
    el("span", { class: "name" }, name), el("span", { class: "when" }, when ?? ""),
    el("span", { class: "last", dir: "auto" }, preview(chat, state)),
    chat.unread ? el("span", { class: "unread", "aria-label": `${chat.unread} unread` }, chat.unread) : null);
  }));
}

export function showPerson(node, state) {
  const { person } = state;
  fill(node, avatar(person.name, person.id),
    el("span", { class: "who" }, el("b", {}, person.name), el("small", {}, LANGUAGES.of(person.language))), icon("sort"));
  node.setAttribute("aria-label", `You are ${person.name}. Be somebody else`);
}

export function personMenu(parent, opener, state, become, create) {
  const people = [...state.people.values()].map((person) => ({
    label: person.name, note: person.language, person, checked: person.id === state.person.id,
    choose: () => become(person),
  }));
  popover(parent, opener, "people-menu", [...people, { label: "New person", symbol: "plus", choose: create }]);
}
