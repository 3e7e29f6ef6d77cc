/* The open chat's messages: a window on its history, kept in order, scrolled as a person expects. */

import { bubble } from "./bubble.js";
import { day } from "./dom.js";
import { Drafts } from "./drafts.js";
import { aboutCard, dayMark, joinNeighbours, place } from "./layout.js";
import { decoded } from "./media.js";
import { walkMessages } from "./walking.js";

const NEAR_BOTTOM_PX = 60;
const NEAR_END_PX = 600;
/** As many messages are in the document at once; the rest is loaded as it comes into sight. */
const WINDOW = 150;

export class Log {
  /**
   * @param {object} parts scroller, list, down: the elements
   * @param {function(object): Promise<?object>} load a page {messages, has_more, has_newer} for
   *   {before}, {after}, {around} or {}; null when that failed
   */
  constructor({ scroller, list, down }, load) {
    Object.assign(this, { scroller, list, down, load });
    this.messages = new Map();
    this.nodes = new Map();
    this.turns = new Map();
    this.arrived = new Set();
    this.drafts = new Drafts(() => this.changed());
    this.hasEarlier = false;
    this.hasLater = false;
    this.unseen = 0;
    this.newest = 0;
    this.pinned = true;
    this.lastTop = 0;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    walkMessages(scroller, list, (number) => this.view.actions.reply(this.messages.get(number)));
    down.addEventListener("click", () => this.toNewest());
    const keepBottom = new ResizeObserver(() => this.pinned && this.toBottom());
    keepBottom.observe(scroller);
    keepBottom.observe(list);
  }

  /** Show another chat, or another part of the same one. */
  open(view, page, about) {
    this.view = view;
    this.about = about;
    this.nodes.clear();
    this.turns.clear();
    this.arrived.clear();
    this.drafts.clear();
    this.unseen = 0;
    this.newest = 0;
    this.show(page);
    this.toBottom();
  }

  /** Replace what is shown by a page of history. */
  show(page) {
    this.hasEarlier = page.has_more;
    this.messages = new Map(page.messages.map((message) => [message.id, message]));
    this.noteLater(page);
    this.quietly(() => this.rebuild());
  }

  /** Change much at once: what is loaded is no news to a screen reader. */
  quietly(change) {
    this.scroller.setAttribute("aria-live", "off");
    change();
    setTimeout(() => this.scroller.setAttribute("aria-live", "polite"), 0);
  }

  atBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return !this.hasLater && scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
  }

  toBottom(smooth = false) {
    this.pinned = true;
    this.unseen = 0;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: smooth ? "smooth" : "instant" });
    this.showDown();
  }

  async toNewest() {
    if (!this.hasLater) return this.toBottom(true);
    const page = await this.ask({});
    if (!page) return;
    this.show(page);
    this.toBottom();
  }

  showDown() {
    this.down.hidden = this.pinned;
    this.down.dataset.unseen = this.unseen || "";
    this.down.setAttribute("aria-label", `Go to the newest message${this.unseen ? `, ${this.unseen} new` : ""}`);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    // Only going up lets go of the bottom: a layout that grew also fires this event.
    const up = scrollTop < this.lastTop - 1;
    this.lastTop = scrollTop;
    if (this.atBottom()) Object.assign(this, { pinned: true, unseen: 0 });
    else if (up) this.pinned = false;
    this.showDown();
    if (scrollTop < NEAR_END_PX && this.hasEarlier) this.extend("before");
    else if (scrollHeight - scrollTop - clientHeight < NEAR_END_PX && this.hasLater) this.extend("after");
  }

  /** Note whether there is more below; what came while the page was on its way counts too. */
  noteLater(page) {
    const last = [...this.messages.keys()].at(-1) ?? 0;
    if (!page.messages.length) this.newest = last;
    this.hasLater = Boolean(page.has_newer) || this.newest > last;
  }

  /** Ask for history; null where it failed or another chat was opened meanwhile. */
  async ask(where) {
    const { view } = this;
    while (this.loading) await this.loading;
    if (this.view !== view) return null;
    this.loading = this.load(where);
    const page = await this.loading;
    this.loading = null;
    return this.view === view ? page : null;
  }

  /** Load what lies before or after the window; the other end is let go. */
  async extend(side) {
    const known = [...this.messages.keys()];
    if (!known.length || this.loading) return;
    const page = await this.ask({ [side]: side === "before" ? known[0] : known.at(-1) });
    if (!page) return;
    const more = page.messages.map((message) => [message.id, message]);
    this.stay(() => {
      if (side === "before") {
        this.messages = new Map([...more, ...this.messages]);
        this.hasEarlier = page.has_more;
        this.forget([...this.messages.keys()].slice(WINDOW));
      } else {
        this.messages = new Map([...this.messages, ...more]);
        this.noteLater(page);
        this.forget([...this.messages.keys()].slice(0, -WINDOW));
      }
    });
  }

  forget(numbers) {
    if (!numbers.length) return;
    const newest = [...this.messages.keys()].at(-1);
    for (const number of numbers) this.messages.delete(number);
    if (numbers.at(-1) === newest) {
      this.hasLater = true;
      this.pinned = false;
    } else this.hasEarlier = true;
  }

  /** Change the window while what is being read keeps its place on the screen. */
  stay(change) {
    const top = this.scroller.getBoundingClientRect().top;
    const anchor = [...this.list.children].find((node) => node.dataset.messageId && node.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top;
    change();
    this.quietly(() => this.rebuild());
    const kept = anchor?.isConnected ? anchor : this.nodeOfMessage(anchor?.dataset.messageId);
    if (kept) this.scroller.scrollTop += kept.getBoundingClientRect().top - before;
    this.lastTop = this.scroller.scrollTop;
  }

  add(message, mine) {
    if (this.messages.has(message.id)) return;
    this.newest = message.id;
    if (message.from.is_bot) this.drafts.clear();
    const follow = this.pinned || mine;
    if (!follow) this.unseen += 1;
    if (mine && this.hasLater) return void this.toNewest();
    if (this.hasLater || (!follow && this.messages.size >= 2 * WINDOW)) {
      this.hasLater = true;
      return this.showDown();
    }
    this.messages.set(message.id, message);
    if (follow) {
      this.pinned = true;
      this.forget([...this.messages.keys()].slice(0, -WINDOW));
    }
    this.arrived.add(message.id);
    // Many may come between two frames: they are laid out together.
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.changed();
      this.showDown();
    });
  }

  /** Change a message. Its picture is decoded first, so that the old bubble stays until then. */
  edit(message) {
    const before = this.messages.get(message.id);
    if (!before) return undefined;
    const turn = (this.turns.get(message.id) ?? 0) + 1;
    this.turns.set(message.id, turn);
    const apply = () => {
      if (this.turns.get(message.id) !== turn || !this.messages.has(message.id)) return;
      this.turns.delete(message.id);
      this.replace(message);
    };
    if (!message.media || before.media?.url === message.media.url) return apply();
    return decoded(message.media).then(apply, apply);
  }

  replace(message) {
    const old = this.nodes.get(keyOf(message))?.node;
    const focused = old?.contains(document.activeElement) ? document.activeElement : null;
    this.messages.set(message.id, message);
    this.nodes.delete(keyOf(message));
    this.changed();
    if (!focused) return;
    // Who is at a button with the keyboard is still there after the message has changed.
    const { row, column } = focused.dataset;
    const node = this.nodes.get(keyOf(message)).node;
    (node.querySelector(`[data-row="${row}"][data-column="${column}"]:not(:disabled)`) ?? node).focus({ preventScroll: true });
  }

  remove(numbers) {
    for (const number of numbers) {
      const message = this.messages.get(number);
      if (!message) continue;
      this.messages.delete(number);
      this.nodes.delete(keyOf(message));
    }
    this.rebuild();
  }

  /** Bring the list up to date; whoever was at the bottom stays there. */
  changed() {
    const follow = this.pinned;
    this.rebuild();
    if (follow) this.toBottom();
  }

  nodeOfMessage(number) {
    return this.list.querySelector(`[data-message-id="${number}"]`)?.closest(".message, .service");
  }

  /** Show a message, wherever in the history it is, and let it flash. */
  async jump(number) {
    if (!this.nodeOfMessage(number)) {
      const page = await this.ask({ around: number });
      if (!page?.messages.some((message) => message.id === number)) return;
      this.pinned = false;
      this.show(page);
    }
    const node = this.nodeOfMessage(number);
    this.pinned = false;
    node.scrollIntoView({ block: "center" });
    node.focus({ preventScroll: true });
    node.classList.remove("flash");
    requestAnimationFrame(() => node.classList.add("flash"));
  }

  /** Put the nodes in order; bubbles that did not change are kept as they are. */
  rebuild() {
    const groups = new Map();
    for (const message of this.messages.values()) {
      const key = keyOf(message);
      if (groups.has(key)) groups.get(key).push(message);
      else groups.set(key, [message]);
    }
    const wanted = [];
    let lastDay = "";
    for (const [key, group] of groups) {
      const label = day(group[0].date);
      if (label !== lastDay) wanted.push(this.kept(`day-${label}`, 1, () => dayMark(label)));
      lastDay = label;
      wanted.push(this.kept(key, group.length, () => this.bubble(group)));
    }
    this.nodes.forEach((_, key) => groups.has(key) || key.startsWith("day-") || this.nodes.delete(key));
    if (!groups.size && this.about) wanted.push(aboutCard(this.about));
    wanted.push(...this.drafts.nodes());
    place(this.list, wanted);
    joinNeighbours(wanted);
  }

  kept(key, count, make) {
    const known = this.nodes.get(key);
    if (known?.count === count) return known.node;
    const node = make();
    this.nodes.set(key, { node, count });
    return node;
  }

  bubble(group) {
    const node = bubble(group, this.view);
    if (group.filter(({ id }) => this.arrived.delete(id)).length) {
      node.classList.add("new");
      setTimeout(() => node.classList.remove("new"), 400);
    }
    return node;
  }
}

const keyOf = (message) => (message.group ? `group-${message.group}` : `message-${message.id}`);
