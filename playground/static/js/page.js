/* The page: its parts, and which chat of whom it shows. */

import { Composer } from "./composer.js";
import { personDialog } from "./dialogs.js";
import { Doing } from "./doing.js";
import { watchDrops } from "./drops.js";
import { handlers } from "./events.js";
import { Head } from "./head.js";
import { InlineMode } from "./inline.js";
import { watchLinks } from "./links.js";
import { Log } from "./log.js";
import { watchMessages } from "./messagemenu.js";
import { addPerson, follow, get } from "./server.js";
import { personMenu, showChats, showPerson } from "./sidebar.js";
import { State, remembered } from "./state.js";
import { attempt } from "./toast.js";

const $ = (id) => document.getElementById(id);

export class Page {
  constructor() {
    this.state = new State();
    this.doing = new Doing(this);
    this.head = new Head({ title: $("title"), status: $("status"), notice: $("notice"), connection: $("connection") }, this.state);
    this.log = new Log({ scroller: $("log"), list: $("messages"), down: $("down") }, (where) => attempt(() => this.history(where)));
    this.composer = new Composer($("foot"), this.composing(), this.inlineMode());
    /** Events and what changes the open chat happen one after another: each is over before the next. */
    this.queue = Promise.resolve();
  }

  async start() {
    $("back").addEventListener("click", () => this.leaveChat());
    $("person").addEventListener("click", () => personMenu(document.querySelector(".sidebar"), $("person"), this.state,
      (person) => this.become(person), () => this.createPerson()));
    document.addEventListener("visibilitychange", () => this.seen());
    watchDrops(document.querySelector("main"), $("drop"), (files) => this.composer.offer(files, false));
    watchMessages($("messages"), (number) => this.log.messages.get(number), this.menuActions());
    watchLinks($("messages"), (username) => this.state.botNamed(username), (address) => this.doing.openTelegramLink(address));
    const after = await this.load();
    $("app").classList.add("in-chat");
    const on = handlers(this);
    follow(after, (body) => this.inTurn(() => on[body.kind]?.(body)), (online) => this.head.showConnection(online));
    document.body.dataset.ready = "";
  }

  inTurn(work) {
    this.queue = this.queue.then(work).catch((error) => console.error(error));
    return this.queue;
  }

  history(where) {
    return get("/page/messages", { chat: this.state.chat.key, ...where });
  }

  /** Load everything anew: at the start, and where events were missed. */
  async load() {
    const fresh = await get("/page/state");
    this.state.take(fresh);
    showPerson($("person"), this.state);
    await this.showChat(this.state.chat);
    return fresh.event;
  }

  /** Open a chat that was chosen, once the events before that are handled. */
  openChat(key) {
    return this.inTurn(() => attempt(() => this.showChat(this.state.chats.get(key), { enter: true })));
  }

  async showChat(chat, { enter = false } = {}) {
    const page = await get("/page/messages", { chat: chat.key });
    this.state.chat = chat;
    chat.unread = 0;
    remembered.set("chat", chat.key);
    if (enter) $("app").classList.add("in-chat");
    this.head.show();
    this.head.showAction(null);
    this.showChats();
    const view = { me: this.state.person.id, inGroup: chat.kind !== "private", actions: this.bubbleActions() };
    this.log.open(view, page, this.state.about(chat));
    this.showComposer();
  }

  leaveChat() {
    $("app").classList.remove("in-chat");
    document.querySelector(".chat-item[aria-current=true]")?.focus();
  }

  /** Bring the list of chats up to date, once a frame at most. */
  showChats() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      showChats($("chats"), this.state, (key) => this.openChat(key));
    });
  }

  showComposer() {
    const { chat } = this.state;
    this.composer.open(chat, this.state.commands(chat), this.state.menuApp(chat));
  }

  seen() {
    if (document.hidden || !this.state.chat?.unread) return;
    this.state.chat.unread = 0;
    this.showChats();
  }

  become(person) {
    return this.inTurn(() => attempt(() => this.turnInto(person)));
  }

  async turnInto(person) {
    const { state } = this;
    const before = state.chat;
    state.person = person;
    remembered.set("person", person.id);
    showPerson($("person"), state);
    const same = state.mine().find((chat) => chat.kind === before.kind && chat.bots[0] === before.bots[0]);
    await this.showChat(same ?? state.firstPrivate());
  }

  async createPerson() {
    const wanted = await personDialog();
    const made = wanted && await attempt(() => addPerson(wanted));
    if (!made) return;
    await this.inTurn(() => attempt(async () => {
      await this.load();
      await this.turnInto(this.state.people.get(made.id));
    }));
  }

  /** What presses inside a bubble lead to. */
  bubbleActions() {
    const { doing, log, composer } = this;
    return {
      reply: (message) => composer.reply(message),
      open: (group, message) => doing.view(group, message),
      command: (text) => doing.send(text, null),
      jump: (number) => log.jump(number),
      copy: (text) => doing.copy(text),
      press: (...pressed) => doing.press(...pressed),
      pay: (message) => doing.payFor(message),
      openApp: ({ message, row, column }) => doing.openApp({ source: "button", message_id: message.id, row, column }),
      inlineHere: (message, query) => doing.inlineHere(message, query),
      inlineElsewhere: (message, query) => doing.inlineElsewhere(message, query),
      react: (message, emoji) => doing.react(message, emoji),
      stop: (draftId) => doing.stop(draftId),
    };
  }

  menuActions() {
    const { doing, composer, state } = this;
    const isMine = (message) => message.from.id === state.person.id;
    return {
      mine: isMine,
      reply: (message) => composer.reply(message),
      react: (message, emoji) => doing.react(message, emoji),
      edit: (message) => composer.edit(message),
      copy: (text) => doing.copy(text),
      forward: (message) => doing.forward(message),
      remove: (message) => (isMine(message) || state.chat.kind === "private") && (() => doing.remove(message)),
    };
  }

  composing() {
    const { doing } = this;
    return {
      send: (text, replyTo) => doing.send(text, replyTo),
      sendFiles: (...sent) => doing.sendFiles(...sent),
      edit: (message, text) => doing.edit(message, text),
      jump: (number) => this.log.jump(number),
      openMenuApp: () => doing.openApp({ source: "menu" }),
      keyApp: (row, column) => doing.openApp({ source: "keyboard", row, column }),
    };
  }

  inlineMode() {
    const { doing, state } = this;
    const answering = (username) => {
      const bot = state.botNamed(username);
      return bot?.inline ? bot : null;
    };
    return new InlineMode(answering, {
      ask: (...asked) => doing.askInline(...asked),
      choose: (...chosen) => doing.chooseInline(...chosen),
      button: (...pressed) => doing.pressInlineButton(...pressed),
    });
  }
}
