/* Where a person writes: text, commands, files, replies, and the bot's own keyboard. */

import { el, fill, icon } from "./dom.js";
import { quote } from "./bubble.js";
import { popover, sendDialog, toast } from "./overlays.js";

const MAX_FILES = 10;
const MAX_BYTES = 50 * 1024 * 1024;

export class Composer {
  /** @param {object} actions send(text, replyTo), sendFiles(files, caption, asFile, replyTo), start() */
  constructor(foot, actions) {
    this.foot = foot;
    this.actions = actions;
    this.replyTo = null;
    this.drafts = new Map();
  }

  /** Show the composer of a chat, or its start button where nobody wrote yet. */
  open(chat, commands) {
    this.chat = chat;
    this.commands = commands;
    this.replyTo = null;
    if (!chat.started) {
      this.input = null;
      fill(this.foot, el("button", { class: "start", type: "button", data: { start: "" },
        onclick: () => this.actions.start() }, "START"));
      return;
    }
    fill(this.foot, this.form(), this.replyKeys());
    this.input.value = this.drafts.get(chat.key) ?? "";
    this.resize();
    if (matchMedia("(hover: hover)").matches) this.input.focus({ preventScroll: true });
  }

  form() {
    this.input = el("textarea", { id: "composer", rows: "1", maxlength: "4096", placeholder: "Message",
      "aria-label": "Message", autocomplete: "off", dir: "auto", role: "combobox", "aria-expanded": "false",
      "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": "commands",
      oninput: () => this.typed(), onkeydown: (event) => this.key(event), onpaste: (event) => this.pasted(event) });
    this.bar = el("div", { hidden: true });
    const attach = el("button", { class: "round", id: "attach", type: "button", "aria-label": "Attach",
      "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => this.attachMenu(attach) }, icon("attach"));
    const menu = this.commands.length > 0 && el("button", { class: "menu-button", id: "menu", type: "button",
      "aria-label": "Commands", "aria-haspopup": "listbox", "aria-controls": "commands", "aria-expanded": "false", onclick: () => this.toggleCommands() }, icon("menu"), el("span", {}, "Menu"));
    this.picker = el("input", { type: "file", multiple: true, hidden: true, id: "picker", onchange: () => {
      const files = [...this.picker.files];
      this.picker.value = "";
      this.offer(files, this.picker.dataset.as === "file");
    } });
    return el("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.send(); } },
      el("div", { class: "field" }, this.bar, el("div", { class: "field-row" }, menu, this.input, attach)),
      el("button", { class: "round", id: "send", type: "submit", "aria-label": "Send" }, icon("send")), this.picker);
  }

  replyKeys() {
    const keyboard = this.chat.reply_keyboard;
    if (!keyboard) return null;
    return el("div", { class: "reply-keys", data: { replyKeyboard: "" } }, keyboard.keyboard.map((row) =>
      el("div", {}, row.map((button) => el("button", { type: "button", onclick: () => {
        this.actions.send(button.text, null);
        if (keyboard.one_time_keyboard) this.foot.querySelector("[data-reply-keyboard]")?.remove();
      } }, button.text)))));
  }

  setReplyKeyboard(keyboard) {
    this.chat.reply_keyboard = keyboard;
    this.foot.querySelector("[data-reply-keyboard]")?.remove();
    const keys = this.input && this.replyKeys();
    if (keys) this.foot.append(keys);
  }

  resize() {
    this.input.style.height = "auto";
    this.input.style.height = `${this.input.scrollHeight}px`;
  }

  typed() {
    this.drafts.set(this.chat.key, this.input.value);
    this.resize();
    const begun = /^\/(\w*)$/.exec(this.input.value);
    if (begun) this.showCommands(begun[1].toLowerCase());
    else this.hideCommands();
  }

  key(event) {
    if (event.isComposing) return;
    const rows = this.list ? [...this.list.children] : [];
    const at = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
    if (rows.length && event.key === "ArrowDown") this.select(at + 1);
    else if (rows.length && event.key === "ArrowUp") this.select(at < 0 ? -1 : at - 1);
    else if (rows.length && at >= 0 && ["Enter", "Tab"].includes(event.key)) rows[at].click();
    else if (event.key === "Escape" && (this.list || this.replyTo)) { this.hideCommands(); this.reply(null); }
    else if (event.key === "Enter" && !event.shiftKey) this.send();
    else return;
    event.preventDefault();
  }

  /** Mark one command of the list; the focus stays in the text. */
  select(index) {
    const rows = [...this.list.children];
    const chosen = rows.at(index % rows.length);
    rows.forEach((row) => row.setAttribute("aria-selected", String(row === chosen)));
    chosen.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", chosen.id);
  }

  async send() {
    const text = this.input.value;
    if (!text.trim()) return;
    const back = this.take(text);
    this.input.focus();
    if (!await this.actions.send(text, back.replyTo?.id)) this.putBack(back);
  }

  /** Empty the composer for what is being sent; gives what `putBack` needs should that fail. */
  take(text) {
    const taken = { chat: this.chat, text, replyTo: this.replyTo };
    this.input.value = "";
    this.typed();
    this.reply(null);
    return taken;
  }

  /** What was typed meanwhile stays, behind what could not be sent. */
  putBack({ chat, text, replyTo }) {
    const draft = [text, this.drafts.get(chat.key)].filter(Boolean).join("\n");
    this.drafts.set(chat.key, draft);
    if (chat.key !== this.chat.key || !this.input) return;
    this.input.value = draft;
    this.resize();
    if (replyTo && !this.replyTo) this.reply(replyTo);
  }

  /** Answer to a message, or with null to none. */
  reply(message) {
    if (!this.input) return;
    this.replyTo = message;
    this.bar.hidden = !message;
    if (!message) return;
    const original = { id: message.id, name: message.from.name, text: message.text, media: message.media?.kind };
    fill(this.bar, el("div", { class: "quote-bar" }, quote(original, () => {}),
      el("button", { class: "round", type: "button", "aria-label": "Cancel the reply", onclick: () => this.reply(null) }, icon("close"))));
    this.input.focus();
  }

  toggleCommands() {
    if (this.list) this.hideCommands();
    else this.showCommands("");
    this.input.focus();
  }

  showCommands(begun) {
    this.hideCommands();
    const matching = this.commands.filter(({ command }) => command.startsWith(begun));
    if (!matching.length) return;
    this.list = el("div", { class: "popover commands", id: "commands", role: "listbox", "aria-label": "Commands", data: { commands: "" } },
      matching.map(({ command, description }) => el("button", { id: `command-${command}`, type: "button", role: "option", tabindex: "-1", "aria-selected": "false",
        onclick: () => {
          this.input.value = "";
          this.typed();
          this.actions.send(`/${command}`, null);
        } }, el("b", {}, `/${command}`), el("span", {}, description))));
    this.foot.querySelector(".composer").append(this.list);
    this.listShown(true);
    if (begun) this.select(0);
  }

  hideCommands() {
    this.list?.remove();
    this.list = null;
    this.listShown(false);
  }

  listShown(shown) {
    this.foot.querySelector("#menu")?.setAttribute("aria-expanded", String(shown));
    this.input.setAttribute("aria-expanded", String(shown));
    if (!shown) this.input.removeAttribute("aria-activedescendant");
  }

  attachMenu(opener) {
    const pick = (as, accept) => () => {
      this.picker.dataset.as = as;
      this.picker.accept = accept;
      this.picker.click();
    };
    popover(this.foot.querySelector(".composer"), opener, "attach-menu", [
      { label: "Photo", symbol: "photo", choose: pick("photo", "image/jpeg,image/png,image/webp") },
      { label: "File", symbol: "file", choose: pick("file", "") },
    ]);
  }

  pasted(event) {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    this.offer(files, false);
  }

  /** Ask for a caption and send; used by the picker, by paste and by drop. */
  async offer(files, asFile) {
    if (!files.length || !this.input) return;
    if (files.length > MAX_FILES) return toast(`At most ${MAX_FILES} files go into one album`);
    if (files.some((file) => file.size > MAX_BYTES)) return toast("A file may have at most 50 MB");
    const choice = await sendDialog(files, asFile, this.input.value);
    if (!choice) return;
    const back = this.take(choice.caption);
    if (!await this.actions.sendFiles(files, choice.caption, choice.asFile, back.replyTo?.id)) this.putBack(back);
  }
}
