/* Where a person writes: text, commands, inline queries, files, replies, and the bot's own keyboard. */

import { sendDialog } from "./attach.js";
import { el, fill, icon } from "./dom.js";
import { quote } from "./bubble.js";
import { popover } from "./popover.js";
import { Suggestions } from "./suggestions.js";
import { toast } from "./toast.js";

const MAX_FILES = 10;
const MAX_BYTES = 50 * 1024 * 1024;
const COMMAND = /^\/(\w*)$/;

export class Composer {
  /**
   * @param {Element} foot where it lies
   * @param {object} actions send(text, replyTo), sendFiles(files, caption, asFile, replyTo), edit(message, text),
   *   jump(number), openMenuApp(), keyApp(row, column); the first three give null when refused
   * @param {object} inline what asks bots while a person types "@bot query": typed(text, suggestions)
   */
  constructor(foot, actions, inline) {
    this.foot = foot;
    this.actions = actions;
    this.inline = inline;
    this.replyTo = null;
    this.editing = null;
    this.drafts = new Map();
  }

  /** Show the composer of a chat, or its start button where nobody wrote yet. */
  open(chat, commands, menuApp) {
    const [same, replyTo, focused] = [chat.key === this.chat?.key, this.replyTo, this.foot.contains(document.activeElement)];
    if (this.editing) this.drafts.delete(this.chat.key);
    this.chat = chat;
    this.commands = commands;
    this.menuApp = menuApp;
    this.replyTo = null;
    this.editing = null;
    if (!chat.started || chat.blocked) {
      this.input = null;
      fill(this.foot, el("button", { class: "start", type: "button", data: { start: "" },
        onclick: () => this.actions.send("/start", null) }, chat.blocked ? "RESTART" : "START"));
      return;
    }
    fill(this.foot, this.form(), this.replyKeys());
    this.suggestions = new Suggestions(this.foot.querySelector(".composer"), this.input);
    this.input.value = this.drafts.get(chat.key) ?? "";
    this.resize();
    if (same && replyTo) this.reply(replyTo);
    if (focused || (!same && matchMedia("(hover: hover)").matches)) this.input.focus({ preventScroll: true });
  }

  form() {
    this.input = el("textarea", { id: "composer", rows: "1", maxlength: "4096", placeholder: this.placeholder(),
      "aria-label": "Message", autocomplete: "off", dir: "auto", role: "combobox", "aria-expanded": "false",
      "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": "suggestions",
      oninput: () => this.typed(), onkeydown: (event) => this.key(event), onpaste: (event) => this.pasted(event) });
    this.bar = el("div", { hidden: true });
    const attach = el("button", { class: "round", id: "attach", type: "button", "aria-label": "Attach",
      "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => this.attachMenu(attach) }, icon("attach"));
    this.picker = el("input", { type: "file", multiple: true, hidden: true, id: "picker", onchange: () => {
      const files = [...this.picker.files];
      this.picker.value = "";
      this.offer(files, this.picker.dataset.as === "file");
    } });
    return el("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.send(); } },
      el("div", { class: "field" }, this.bar, el("div", { class: "field-row" }, this.menuButton(), this.input, attach)),
      el("button", { class: "round", id: "send", type: "submit", "aria-label": "Send" }, icon("send")), this.picker);
  }

  /** The bot's Mini App where it set one, else its commands, if it has any. */
  menuButton() {
    if (this.menuApp) {
      return el("button", { class: "menu-button", id: "menu-app", type: "button", "aria-label": this.menuApp.text,
        onclick: () => this.actions.openMenuApp() }, icon("app"), el("span", {}, this.menuApp.text));
    }
    return this.commands.length > 0 && el("button", { class: "menu-button", id: "menu", type: "button",
      "aria-label": "Menu: commands", onclick: () => this.toggleCommands() }, icon("menu"), el("span", {}, "Menu"));
  }

  placeholder() {
    return this.chat.reply_keyboard?.input_field_placeholder || "Message";
  }

  replyKeys() {
    const keyboard = this.chat.reply_keyboard;
    if (!keyboard?.keyboard) return null;
    return el("div", { class: "reply-keys", role: "group", "aria-label": "Answers", data: { replyKeyboard: "" } }, keyboard.keyboard.map((buttons, row) =>
      el("div", {}, buttons.map((button, column) => el("button", { type: "button",
        class: ["primary", "success", "danger"].includes(button.style) ? button.style : "", onclick: () => {
          if (button.web_app) return this.actions.keyApp(row, column);
          this.actions.send(button.text, this.replyTo?.id);
          this.reply(null);
          if (keyboard.one_time_keyboard) this.foot.querySelector("[data-reply-keyboard]")?.remove();
        } }, button.text, button.web_app && icon("app", "corner"))))));
  }

  setReplyKeyboard(keyboard) {
    this.chat.reply_keyboard = keyboard;
    this.foot.querySelector("[data-reply-keyboard]")?.remove();
    if (!this.input) return;
    this.input.placeholder = this.placeholder();
    const keys = this.replyKeys();
    if (keys) this.foot.append(keys);
  }

  resize() {
    this.input.style.height = "auto";
    this.input.style.height = `${this.input.scrollHeight}px`;
  }

  typed() {
    this.drafts.set(this.chat.key, this.input.value);
    this.resize();
    const begun = COMMAND.exec(this.input.value);
    if (begun) this.showCommands(begun[1].toLowerCase());
    else this.suggestions.hide();
    this.inline.typed(this.input.value, this.suggestions);
  }

  /** Put words where a person would type them. */
  write(text) {
    if (!this.input) return;
    this.input.value = text;
    this.input.focus();
    this.typed();
  }

  key(event) {
    if (event.isComposing) return;
    if (!this.suggestions.key(event)) {
      if (event.key === "Escape" && (this.replyTo || this.editing)) this.reply(null);
      else if (event.key === "Enter" && !event.shiftKey) this.send();
      else return;
    }
    event.preventDefault();
  }

  async send() {
    const text = this.input.value;
    if (this.editing) return this.finishEdit(text);
    if (!text.trim()) return;
    const back = this.take(text);
    this.input.focus();
    if (!await this.actions.send(text, back.replyTo?.id)) this.putBack(back);
  }

  async finishEdit(text) {
    const message = this.editing;
    if (text !== message.text && !await this.actions.edit(message, text)) return;
    this.reply(null);
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
    if (this.editing) {
      this.editing = null;
      this.input.value = "";
      this.typed();
    }
    this.replyTo = message;
    this.bar.hidden = !message;
    if (message) this.showBar(message, message.from.name, "Cancel the reply");
  }

  /** Change what the person has said; sending then changes the message. */
  edit(message) {
    if (!this.input) return;
    this.reply(null);
    this.editing = message;
    this.bar.hidden = false;
    this.showBar(message, "Edit message", "Cancel the edit");
    this.write(message.text);
  }

  showBar(message, name, cancel) {
    const original = { id: message.id, name, text: message.text, media: message.media?.kind };
    fill(this.bar, el("div", { class: "quote-bar" }, quote(original, () => this.actions.jump(message.id)),
      el("button", { class: "round", type: "button", "aria-label": cancel,
        onclick: () => { this.reply(null); this.input.focus(); } }, icon("close"))));
    this.input.focus();
  }

  toggleCommands() {
    if (this.suggestions.list) this.suggestions.hide();
    else this.showCommands("");
    this.input.focus();
  }

  showCommands(begun) {
    const matching = this.commands.filter(({ command }) => command.startsWith(begun));
    this.suggestions.show("Commands", "commands", matching.map(({ command, description }) => ({
      id: `command-${command}`, content: [el("b", {}, `/${command}`), el("span", {}, description)],
      choose: () => {
        this.input.value = "";
        this.typed();
        this.actions.send(`/${command}`, null);
      },
    })), { preselect: Boolean(begun) });
  }

  attachMenu(opener) {
    const pick = (as, accept) => () => {
      this.picker.dataset.as = as;
      this.picker.accept = accept;
      this.picker.click();
    };
    popover(this.foot.querySelector(".composer"), opener, "attach-menu", [
      { label: "Photo or video", symbol: "photo", choose: pick("photo", "image/jpeg,image/png,image/webp,image/gif,video/mp4,video/webm") },
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
  async offer(given, asFile) {
    if (!given.length || !this.input) return;
    if (given.length > MAX_FILES) return toast(`At most ${MAX_FILES} files go into one album`);
    if (given.some((file) => file.size > MAX_BYTES)) return toast("A file may have at most 50 MB");
    const chosen = await sendDialog(given, asFile, this.input.value);
    if (!chosen) return;
    const back = this.take(chosen.caption);
    if (!await this.actions.sendFiles(chosen.files, chosen.caption, chosen.asFile, back.replyTo?.id)) this.putBack(back);
  }
}
