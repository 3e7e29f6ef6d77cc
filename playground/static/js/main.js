/* The page: holds the state, follows the server's events, connects the parts. */

import { avatar, el, fill, icon } from "./dom.js";
import { act, addPerson, follow, get } from "./server.js";
import { commandsOf } from "./commands.js";
import { Composer } from "./composer.js";
import { watchDrops } from "./drops.js";
import { Log } from "./log.js";
import { alertDialog, personDialog, toast, viewer } from "./overlays.js";
import { chatName, personMenu, showChats, showPerson } from "./sidebar.js";

const ACTION_S = 5;
const ANSWER_S = 15;
const RETRY_S = 3;
const ACTIONS = {
  typing: "typing", upload_photo: "sending a photo", upload_document: "sending a file",
  upload_video: "sending a video", record_video: "recording a video", choose_sticker: "choosing a sticker",
  upload_voice: "sending a voice message", record_voice: "recording a voice message",
  record_video_note: "recording a video message", upload_video_note: "sending a video message",
  find_location: "choosing a place",
};

const $ = (id) => document.getElementById(id);
const state = { people: new Map(), bots: new Map(), chats: new Map(), connected: new Set(), person: null, chat: null, online: true };
const waiting = new Map();
/** Answers that came before the server had named the press; kept while one is on its way. */
const answers = new Map();
let pressing = 0;
let actionTimer = 0;

const remembered = {
  get: (name) => { try { return localStorage.getItem(`playground.${name}`); } catch { return null; } },
  set: (name, value) => { try { localStorage.setItem(`playground.${name}`, value); } catch { /* private browsing */ } },
};

async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return null;
  }
}

const actions = {
  reply: (message) => composer.reply(message),
  open: (message) => viewer(message),
  command: (text) => send(text, null),
  jump: (number) => log.jump(number),
  copy: async (text) => {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  },
  unsupported: () => toast("The playground cannot do what this button asks for yet"),
  press,
};

const log = new Log($("log"), $("messages"), $("down"),
  (before) => attempt(() => get(`/page/messages?chat=${encodeURIComponent(state.chat.key)}&before=${before}`)));
const composer = new Composer($("foot"), {
  send,
  start: () => send("/start", null),
  sendFiles: (files, caption, asFile, replyTo) => attempt(() => act(
    { ...here(), text: caption, as: asFile ? "document" : "photo", reply_to: replyTo }, files)),
});

const here = () => ({ person: state.person.id, chat: state.chat.key });

function send(text, replyTo) {
  return attempt(() => act({ ...here(), text, reply_to: replyTo }));
}

/** Press a button: it turns until the bot answers or the time is over. */
async function press(node, message, row, column) {
  if (node.getAttribute("aria-busy") === "true") return;
  node.setAttribute("aria-busy", "true");
  pressing += 1;
  const done = await attempt(() => act({ ...here(), press: { message_id: message.id, row, column } }));
  pressing -= 1;
  const early = done && answers.get(done.query);
  if (!pressing) answers.clear();
  if (!done || early) {
    node.removeAttribute("aria-busy");
    if (early) showAnswer(early);
    return;
  }
  const timer = setTimeout(() => settle(done.query), ANSWER_S * 1000);
  waiting.set(done.query, { node, timer });
}

function settle(query) {
  const pressed = waiting.get(query);
  if (!pressed) return false;
  clearTimeout(pressed.timer);
  pressed.node.removeAttribute("aria-busy");
  waiting.delete(query);
  return true;
}

function showAnswer({ text, alert, chat }) {
  if (!text) return;
  if (alert) alertDialog(chatName(state.chats.get(chat), state), text);
  else toast(text);
}

function about(chat) {
  if (chat.kind !== "private") return null;
  const bot = state.bots.get(chat.bots[0]);
  return { bot, name: chatName(chat, state), text: bot.descriptions[state.person.language] ?? bot.descriptions[""] ?? "" };
}

/** Open a chat that was chosen, once the events before that are handled. */
function openChat({ key }) {
  return inTurn(() => attempt(() => showChat(state.chats.get(key))));
}

async function showChat(chat, { enter = true } = {}) {
  const { messages, has_more: more } = await get(`/page/messages?chat=${encodeURIComponent(chat.key)}`);
  state.chat = chat;
  chat.unread = 0;
  remembered.set("chat", chat.key);
  if (enter) $("app").classList.add("in-chat");
  showHead();
  showAction(null);
  showChats($("chats"), state, openChat);
  log.open({ me: state.person.id, inGroup: chat.kind !== "private", actions }, messages, more, about(chat));
  composer.open(chat, commandsOf(chat, state));
}

function showHead() {
  const { chat } = state;
  const name = chatName(chat, state);
  $("title").textContent = name;
  const isPrivate = chat.kind === "private";
  const picture = avatar(name, isPrivate ? chat.bots[0] : chat.id, isPrivate ? "person" : "group");
  picture.id = "chat-avatar";
  $("chat-avatar").replaceWith(picture);
  document.title = name;
  showNotice();
}

function showNotice() {
  const missing = state.chat.bots.some((id) => !state.connected.has(id));
  $("notice").hidden = !missing;
  if (!missing) return;
  if (state.startsBot) fill($("notice"), "The bot is starting…");
  else fill($("notice"), "No bot is connected yet. API base ", el("code", {}, state.apiBase), ", token ", el("code", {}, state.token));
}

function showAction(action) {
  clearTimeout(actionTimer);
  const text = !state.online ? "connecting" : ACTIONS[action];
  const members = state.chat.people.length + state.chat.bots.length;
  const status = $("status");
  const usual = state.chat.kind === "private" ? "bot" : `${members} members`;
  if (status.textContent !== (text ?? usual)) status.textContent = text ?? usual;
  status.classList.toggle("busy", Boolean(text));
  if (text && state.online) actionTimer = setTimeout(() => showAction(null), ACTION_S * 1000);
}

function become(person) {
  return inTurn(() => attempt(() => turnInto(person)));
}

async function turnInto(person) {
  state.person = person;
  remembered.set("person", person.id);
  showPerson($("person"), state);
  const mine = [...state.chats.values()].filter((chat) => chat.people.includes(person.id));
  const same = mine.find((chat) => chat.kind === state.chat?.kind && chat.bots[0] === state.chat.bots[0]);
  await showChat(same ?? mine.find((chat) => chat.kind === "private") ?? mine[0], { enter: false });
}

async function createPerson() {
  const wanted = await personDialog();
  const made = wanted && await attempt(() => addPerson(wanted.name, wanted.language));
  if (!made) return;
  await inTurn(() => attempt(async () => {
    await load();
    await turnInto(state.people.get(made.id));
  }));
}

/** Load everything anew: at the start, and where events were missed. */
async function load() {
  const fresh = await get("/page/state");
  state.people = new Map(fresh.people.map((person) => [person.id, person]));
  state.bots = new Map(fresh.bots.map((bot) => [bot.id, bot]));
  state.connected = new Set(fresh.connected);
  state.startsBot = fresh.starts_bot;
  state.apiBase = fresh.api_base;
  state.token = fresh.token;
  const unread = new Map([...state.chats].map(([key, chat]) => [key, chat.unread]));
  state.chats = new Map(fresh.chats.map((chat) =>
    [chat.key, { ...chat, last: chat.messages[0], unread: unread.get(chat.key) ?? 0 }]));
  const me = state.person?.id ?? Number(remembered.get("person"));
  state.person = state.people.get(me) ?? [...state.people.values()][0];
  showPerson($("person"), state);
  const key = state.chat?.key ?? remembered.get("chat");
  const known = state.chats.get(key);
  const chat = known?.people.includes(state.person.id) ? known
    : [...state.chats.values()].find((other) => other.kind === "private" && other.people.includes(state.person.id));
  await showChat(chat);
  return fresh.event;
}

const handlers = {
  reload: () => attempt(load),
  connected: ({ bot }) => { state.connected.add(bot); showNotice(); },
  bot: ({ bot }) => {
    state.bots.set(bot.id, bot);
    showChats($("chats"), state, openChat);
    if (!state.chat.bots.includes(bot.id)) return;
    showHead();
    log.about = about(state.chat);
    if (!log.messages.size) log.rebuild();
    composer.commands = commandsOf(state.chat, state);
    if (composer.input && Boolean(composer.commands.length) !== Boolean($("menu"))) composer.open(state.chat, composer.commands);
  },
  started: ({ chat }) => {
    state.chats.get(chat).started = true;
    if (state.chat.key === chat) composer.open(state.chat, commandsOf(state.chat, state));
  },
  blocked: ({ chat, blocked }) => { state.chats.get(chat).blocked = blocked; },
  message: ({ chat, message }) => {
    const place = state.chats.get(chat);
    place.last = message;
    if (chat === state.chat.key) {
      log.add(message, message.from.id === state.person.id);
      if (message.from.is_bot) showAction(null);
      if (document.hidden) place.unread += 1;
    } else place.unread += 1;
    showChats($("chats"), state, openChat);
  },
  edited: ({ chat, message }) => {
    const place = state.chats.get(chat);
    if (place.last?.id === message.id) place.last = message;
    if (chat === state.chat.key) log.edit(message);
    showChats($("chats"), state, openChat);
  },
  deleted: ({ chat, messages }) => {
    if (chat === state.chat.key) log.remove(messages);
    const place = state.chats.get(chat);
    if (messages.includes(place.last?.id)) {
      place.last = chat === state.chat.key ? [...log.messages.values()].at(-1) : undefined;
      showChats($("chats"), state, openChat);
    }
  },
  action: ({ chat, action }) => chat === state.chat.key && showAction(action),
  draft: ({ chat, draft_id: id, text, entities }) => chat === state.chat.key && log.draft(id, text, entities),
  reply_keyboard: ({ chat, keyboard }) => {
    state.chats.get(chat).reply_keyboard = keyboard;
    if (chat === state.chat.key) composer.setReplyKeyboard(keyboard);
  },
  answer: (body) => {
    if (settle(body.query)) showAnswer(body);
    else if (pressing) answers.set(body.query, body);
  },
};

/** Events and what changes the open chat happen one after another: each is over before the next. */
let queue = Promise.resolve();
function inTurn(work) {
  queue = queue.then(work).catch((error) => console.error(error));
  return queue;
}

async function main() {
  $("back").append(icon("back"));
  $("down").append(icon("down"));
  $("back").addEventListener("click", () => $("app").classList.remove("in-chat"));
  $("person").addEventListener("click", () => personMenu(document.querySelector(".sidebar"), $("person"), state, become, createPerson));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && state.chat?.unread) {
      state.chat.unread = 0;
      showChats($("chats"), state, openChat);
    }
  });
  watchDrops(document.querySelector("main"), $("drop"), (files) => composer.offer(files, false));
  const after = await load();
  follow(after, (body) => inTurn(() => handlers[body.kind]?.(body)), (online) => {
    state.online = online;
    showAction(null);
  });
  document.body.dataset.ready = "";
}

main().catch((error) => {
  $("notice").hidden = false;
  fill($("notice"), `The playground does not answer (${error.message}). Trying again…`);
  $("app").classList.add("in-chat");
  setTimeout(() => location.reload(), RETRY_S * 1000);
});
