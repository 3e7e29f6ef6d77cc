/* What the page knows: people, bots, chats, and who is looking at which of them. */

import { commandsOf } from "./commands.js";

export const remembered = {
  get: (name) => { try { return localStorage.getItem(`playground.${name}`); } catch { return null; } },
  set: (name, value) => { try { localStorage.setItem(`playground.${name}`, value); } catch { /* private browsing */ } },
};

const keyed = (rows, key) => new Map(rows.map((row) => [row[key], row]));

export class State {
  constructor() {
    this.chats = new Map();
    this.person = null;
    this.chat = null;
    this.online = true;
  }

  /** Take over what the server says of everything; unread counts stay. */
  take(fresh) {
    const unread = new Map([...this.chats].map(([key, chat]) => [key, chat.unread]));
    this.people = keyed(fresh.people, "id");
    this.bots = keyed(fresh.bots, "id");
    this.connected = new Set(fresh.connected);
    this.chats = keyed(fresh.chats.map((chat) => ({ ...chat, last: chat.messages[0], unread: unread.get(chat.key) ?? 0 })), "key");
    Object.assign(this, { startsBot: fresh.starts_bot, apiBase: fresh.api_base, token: fresh.token });
    const me = this.person?.id ?? Number(remembered.get("person"));
    this.person = this.people.get(me) ?? [...this.people.values()][0];
    const known = this.chats.get(this.chat?.key ?? remembered.get("chat"));
    this.chat = known?.people.includes(this.person.id) ? known : this.firstPrivate();
  }

  /** The person's chats, the one with the newest message first. */
  mine() {
    const mine = [...this.chats.values()].filter((chat) => chat.people.includes(this.person.id));
    return mine.sort((a, b) => (b.last?.date ?? 0) - (a.last?.date ?? 0) || (b.last?.id ?? 0) - (a.last?.id ?? 0) || a.people.length - b.people.length);
  }

  firstPrivate() {
    const mine = this.mine();
    return mine.find((chat) => chat.kind === "private") ?? mine[0];
  }

  /** Who acts, and where: the fields every act begins with. */
  here() {
    return { person: this.person.id, chat: this.chat.key };
  }

  nameOf(chat) {
    if (chat.kind !== "private") return chat.title;
    const bot = this.bots.get(chat.bots[0]);
    return bot.names[this.person.language] || bot.names[""];
  }

  botNamed(username) {
    return [...this.bots.values()].find((bot) => bot.username.toLowerCase() === username);
  }

  /** What an empty chat with a bot says of it; null for groups. */
  about(chat) {
    if (chat.kind !== "private") return null;
    const bot = this.bots.get(chat.bots[0]);
    const text = bot.descriptions[this.person.language] ?? bot.descriptions[""] ?? "";
    return { bot, name: this.nameOf(chat), text };
  }

  commands(chat) {
    return commandsOf(chat, this);
  }

  /** The Mini App of the menu button, {text, web_app}, or null where the button offers commands. */
  menuApp(chat) {
    if (chat.kind !== "private") return null;
    const buttons = this.bots.get(chat.bots[0]).menu_buttons ?? {};
    const button = buttons[chat.id] ?? buttons[""];
    return button?.type === "web_app" ? button : null;
  }
}
