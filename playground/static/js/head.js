/* What stands over the messages: whose chat it is, what the bot is doing, what is missing. */

import { avatar, el, fill } from "./dom.js";

const ACTION_S = 5;
const ACTIONS = {
  typing: "typing", upload_photo: "sending a photo", upload_document: "sending a file",
  upload_video: "sending a video", record_video: "recording a video", choose_sticker: "choosing a sticker",
  upload_voice: "sending a voice message", record_voice: "recording a voice message",
  record_video_note: "recording a video message", upload_video_note: "sending a video message",
  find_location: "choosing a place",
};

export class Head {
  /** @param {object} parts title, status, notice, connection: the elements */
  constructor(parts, state) {
    Object.assign(this, parts, { state });
  }

  show() {
    const { chat } = this.state;
    const name = this.state.nameOf(chat);
    const isPrivate = chat.kind === "private";
    const picture = avatar(name, isPrivate ? chat.bots[0] : chat.id, isPrivate ? "person" : "group");
    picture.id = "chat-avatar";
    document.getElementById("chat-avatar").replaceWith(picture);
    this.title.textContent = name;
    document.title = name;
    this.showNotice();
  }

  showNotice() {
    const { chat, connected, startsBot, apiBase, token } = this.state;
    const missing = chat.bots.some((id) => !connected.has(id));
    this.notice.hidden = !missing;
    if (!missing) return;
    if (startsBot) fill(this.notice, "The bot is starting…");
    else fill(this.notice, "No bot is connected yet. API base ", el("code", {}, apiBase), ", token ", el("code", {}, token));
  }

  /** Show what the bot is doing for five seconds, or with null that it does nothing. */
  showAction(action) {
    clearTimeout(this.timer);
    const { chat } = this.state;
    const usual = chat.kind === "private" ? "bot" : `${chat.people.length + chat.bots.length} members`;
    const text = ACTIONS[action];
    if (this.status.textContent !== (text ?? usual)) this.status.textContent = text ?? usual;
    this.status.classList.toggle("busy", Boolean(text));
    if (text) this.timer = setTimeout(() => this.showAction(null), ACTION_S * 1000);
  }

  showConnection(online) {
    if (this.state.online === online) return;
    this.state.online = online;
    this.connection.textContent = online ? "" : "Reconnecting…";
  }
}
