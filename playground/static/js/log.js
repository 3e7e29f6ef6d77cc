/* The open chat's messages: kept in order, changed in place, scrolled as a person expects. */

import { avatar, day, el } from "./dom.js";
import { bubble } from "./bubble.js";
import { richText } from "./richtext.js";

const NEAR_BOTTOM = 60;
const TOGETHER_S = 600;
const MAX_MESSAGES = 1000;

export class Log {
  /** @param {function(number): Promise<?object>} loadEarlier a page of history before a message; null when it failed */
  constructor(scroller, list, downButton, loadEarlier) {
    this.scroller = scroller;
    this.list = list;
    this.downButton = downButton;
    this.loadEarlier = loadEarlier;
    this.messages = new Map();
    this.nodes = new Map();
    this.pending = new Map();
    this.drafts = new Map();
    this.hasMore = false;
    this.pinned = true;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    downButton.addEventListener("click", () => this.toBottom(true));
    const keepBottom = new ResizeObserver(() => this.pinned && this.toBottom());
    keepBottom.observe(scroller);
    keepBottom.observe(list);
    this.lastTop = 0;
  }

  /** Show another chat from the start. */
  open(view, messages, hasMore, about) {
    this.view = view;
    this.about = about;
    this.hasMore = hasMore;
    this.messages = new Map(messages.map((message) => [message.id, message]));
    this.nodes.clear();
    this.pending.clear();
    this.drafts.forEach((draft) => clearTimeout(draft.timer));
    this.drafts.clear();
    this.rebuild();
    this.toBottom();
  }

  atBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM;
  }

  toBottom(smooth = false) {
    this.pinned = true;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: smooth ? "smooth" : "instant" });
    this.downButton.hidden = true;
  }

  async scrolled() {
    // Only going up lets go of the bottom: a layout that grew also fires this event.
    const up = this.scroller.scrollTop < this.lastTop - 1;
    this.lastTop = this.scroller.scrollTop;
    if (this.atBottom()) this.pinned = true;
    else if (up) this.pinned = false;
    this.downButton.hidden = this.pinned;
    if (this.scroller.scrollTop < 80 && this.hasMore && !this.loading) await this.earlier();
  }

  async earlier() {
    const { view } = this;
    this.loading = true;
    const page = await this.loadEarlier(Math.min(...this.messages.keys()));
    this.loading = false;
    // Failed, or meanwhile another chat is open.
    if (!page || this.view !== view) return;
    const below = this.scroller.scrollHeight - this.scroller.scrollTop;
    this.messages = new Map([...page.messages.map((message) => [message.id, message]), ...this.messages]);
    this.hasMore = page.has_more;
    this.rebuild();
    this.scroller.scrollTop = this.scroller.scrollHeight - below;
  }

  add(message, mine) {
    if (this.messages.has(message.id)) return;
    const follow = this.pinned || mine;
    this.messages.set(message.id, message);
    if (message.from.is_bot) this.dropDrafts();
    this.rebuild(message.id);
    if (!follow) this.downButton.hidden = false;
    else {
      this.forgetOldest();
      this.toBottom();
    }
  }

  /** Let go of what is far above the newest message; scrolling up loads it again. */
  forgetOldest() {
    const beyond = this.messages.size - MAX_MESSAGES;
    if (beyond <= 0) return;
    this.remove([...this.messages.keys()].slice(0, beyond));
    this.hasMore = true;
  }

  /** Change a message. Its picture is decoded first, so that the old bubble stays until then. */
  edit(message) {
    const turn = (this.pending.get(message.id) ?? 0) + 1;
    this.pending.set(message.id, turn);
    const apply = () => {
      if (this.pending.get(message.id) !== turn || !this.messages.has(message.id)) return;
      this.messages.set(message.id, message);
      const follow = this.pinned;
      this.nodes.delete(this.keyOf(message));
      this.rebuild();
      if (follow) this.toBottom();
    };
    const address = message.media?.kind === "photo" ? message.media.url : message.media?.preview;
    const before = this.messages.get(message.id)?.media;
    if (!address || before?.url === message.media.url) return apply();
    const image = new Image();
    image.src = address;
    return image.decode().then(apply, apply);
  }

  remove(numbers) {
    for (const number of numbers) {
      const message = this.messages.get(number);
      if (!message) continue;
      this.messages.delete(number);
      this.nodes.delete(this.keyOf(message));
    }
    this.rebuild();
  }

  draft(id, text, entities) {
    const follow = this.pinned;
    clearTimeout(this.drafts.get(id)?.timer);
    const timer = setTimeout(() => { this.drafts.delete(id); this.rebuild(); }, 30_000);
    const node = el("div", { class: "message in tail draft", data: { draft: id } },
      el("div", { class: "bubble" }, el("div", { class: "text", dir: "auto" },
        text ? richText(text, entities, this.view.actions.command) : "…")));
    this.drafts.set(id, { timer, node });
    this.rebuild();
    if (follow) this.toBottom();
  }

  dropDrafts() {
    this.drafts.forEach((draft) => clearTimeout(draft.timer));
    this.drafts.clear();
  }

  jump(number) {
    const node = this.list.querySelector(`[data-message-id="${number}"]`)?.closest(".message");
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: "smooth" });
    node.classList.remove("flash");
    requestAnimationFrame(() => node.classList.add("flash"));
  }

  keyOf(message) {
    return message.group ? `group-${message.group}` : `message-${message.id}`;
  }

  /** Bring the list up to date; bubbles that did not change are kept as they are. */
  rebuild(arrived) {
    const groups = new Map();
    for (const message of this.messages.values()) {
      const key = this.keyOf(message);
      if (groups.has(key)) groups.get(key).push(message);
      else groups.set(key, [message]);
    }
    const wanted = [];
    let lastDay = "";
    for (const [key, group] of groups) {
      if (day(group[0].date) !== lastDay) {
        lastDay = day(group[0].date);
        wanted.push(this.dayMark(lastDay));
      }
      wanted.push(this.nodeOf(key, group, arrived));
    }
    this.nodes.forEach((_, key) => groups.has(key) || key.startsWith("day-") || this.nodes.delete(key));
    if (!groups.size && this.about) wanted.push(this.aboutCard());
    wanted.push(...[...this.drafts.values()].map((draft) => draft.node));
    this.place(wanted);
    this.joinNeighbours(wanted);
  }

  nodeOf(key, group, arrived) {
    const known = this.nodes.get(key);
    if (known && known.count === group.length) return known.node;
    const node = bubble(group, this.view);
    if (group.some((message) => message.id === arrived)) {
      node.classList.add("new");
      setTimeout(() => node.classList.remove("new"), 400);
    }
    this.nodes.set(key, { node, count: group.length });
    return node;
  }

  dayMark(label) {
    const key = `day-${label}`;
    if (!this.nodes.has(key)) this.nodes.set(key, { node: el("div", { class: "day" }, label) });
    return this.nodes.get(key).node;
  }

  aboutCard() {
    const { bot, name, text } = this.about;
    return el("div", { class: "about", data: { about: "" } }, avatar(name, bot.id),
      el("h2", {}, text ? "What can this bot do?" : name), text && el("p", {}, text));
  }

  /** Move, insert and remove only what differs, so that pictures and focus stay alive. */
  place(wanted) {
    const keep = new Set(wanted);
    [...this.list.children].forEach((child) => keep.has(child) || child.remove());
    wanted.forEach((node, index) => {
      if (this.list.children[index] !== node) this.list.insertBefore(node, this.list.children[index] ?? null);
    });
  }

  joinNeighbours(nodes) {
    nodes.forEach((node, index) => {
      if (!node.dataset.messageId) return;
      const joins = (other) => other?.dataset.sender === node.dataset.sender
        && Math.abs(other.dataset.date - node.dataset.date) < TOGETHER_S;
      node.classList.toggle("first", !joins(nodes[index - 1]));
      node.classList.toggle("tail", !joins(nodes[index + 1]));
    });
  }
}
