/* A Mini App in a frame over the page. What it may ask for is in webapp_events.js. */

import { confirmDialog, show } from "./dialogs.js";
import { el, icon } from "./dom.js";
import { popover } from "./popover.js";
import { themeParams, watchTheme } from "./theme.js";
import { EVENTS } from "./webapp_events.js";

const SANDBOX = "allow-scripts allow-forms allow-popups allow-downloads allow-modals";
const HEX = /^#[0-9a-f]{6}$/i;

export class MiniApp {
  /**
   * @param {object} opened app, title, url, can_send_data: what the server answered to `web_app`
   * @param {object} host sendData(data) tells whether it was taken, pay(slug), openLink(url), openTelegramLink(path), inline(query, elsewhere)
   */
  constructor(opened, host) {
    this.opened = opened;
    this.host = host;
    this.asksToClose = false;
    this.sent = false;
    this.hasSpoken = false;
    this.expanded = false;
    this.fullscreen = false;
    this.origin = new URL(opened.url).origin;
    // A Mini App of the page's own origin could reach the page: it gets an origin of nobody's.
    this.foreign = this.origin !== location.origin;
    this.build();
  }

  build() {
    const { title, url } = this.opened;
    const theme = encodeURIComponent(JSON.stringify(themeParams()));
    this.frame = el("iframe", { title, src: `${url}&tgWebAppThemeParams=${theme}`,
      sandbox: this.foreign ? `${SANDBOX} allow-same-origin` : SANDBOX, allow: "clipboard-write", referrerpolicy: "no-referrer" });
    this.backButton = el("button", { class: "round", type: "button", hidden: true, "aria-label": "Back",
      onclick: () => this.post("back_button_pressed") }, icon("back"));
    const more = el("button", { class: "round", type: "button", "aria-label": "More", "aria-haspopup": "menu", "aria-expanded": "false",
      onclick: () => this.menu(more) }, icon("dots"));
    this.closer = el("button", { class: "round", type: "button", "aria-label": "Close", autofocus: true, onclick: () => this.dismiss() }, icon("close"));
    this.head = el("header", { class: "app-head" }, this.backButton, el("h2", {}, title), more, this.closer);
    this.main = this.bottomButton("main_button_pressed", "main");
    this.secondary = this.bottomButton("secondary_button_pressed", "secondary");
    this.foot = el("footer", { class: "app-foot", hidden: true }, this.secondary, this.main);
    this.dialog = el("dialog", { class: "webapp", "aria-label": title, data: { app: this.opened.app } }, this.head, this.frame, this.foot);
  }

  bottomButton(event, kind) {
    return el("button", { class: `bottom-button ${kind}`, type: "button", hidden: true, onclick: () => this.post(event) });
  }

  /** Show it; resolves when it is closed. */
  async run() {
    const listen = (event) => this.received(event);
    const viewport = new ResizeObserver(() => this.tellViewport());
    const unwatch = watchTheme(() => this.post("theme_changed", { theme_params: themeParams() }));
    window.addEventListener("message", listen);
    viewport.observe(this.frame);
    await show(this.dialog, () => this.dismiss());
    window.removeEventListener("message", listen);
    viewport.disconnect();
    unwatch();
  }

  received(event) {
    if (event.source !== this.frame.contentWindow || event.origin !== (this.foreign ? this.origin : "null")) return;
    this.hasSpoken = true;
    const { eventType, eventData } = parsed(event.data) ?? {};
    if (!Object.hasOwn(EVENTS, eventType)) return;
    EVENTS[eventType](this, (typeof eventData === "string" ? parsed(eventData) : eventData) ?? {});
  }

  /** Tell the app something, in the words of Telegram's own clients. */
  post(eventType, eventData = {}) {
    // Until then the frame is empty, and nobody's.
    if (!this.hasSpoken) return;
    this.frame.contentWindow?.postMessage(JSON.stringify({ eventType, eventData }), this.foreign ? this.origin : "*");
  }

  tellViewport() {
    const { width, height } = this.frame.getBoundingClientRect();
    this.post("viewport_changed", { width, height, is_expanded: this.expanded || this.fullscreen, is_state_stable: true });
  }

  shape({ expanded = this.expanded, fullscreen = this.fullscreen }) {
    Object.assign(this, { expanded, fullscreen });
    this.dialog.classList.toggle("expanded", expanded);
    this.dialog.classList.toggle("fullscreen", fullscreen);
  }

  setBottomButton(button, given) {
    if ("is_visible" in given) button.hidden = !given.is_visible;
    if ("text" in given) button.textContent = given.text;
    if ("is_active" in given) button.disabled = !given.is_active;
    if ("is_progress_visible" in given) button.setAttribute("aria-busy", String(Boolean(given.is_progress_visible)));
    if ("has_shine_effect" in given) button.classList.toggle("shines", Boolean(given.has_shine_effect));
    if ("position" in given) button.dataset.position = given.position;
    paint(button, "background-color", given.color);
    paint(button, "color", given.text_color);
    this.foot.hidden = this.main.hidden && this.secondary.hidden;
  }

  paintPart(part, { color, color_key: key }) {
    paint({ header: this.head, background: this.frame, bottom: this.foot }[part], "background-color", color ?? themeParams()[key]);
  }

  menu(opener) {
    popover(this.head, opener, "app-menu", [
      this.hasSettings && { label: "Settings", symbol: "edit", choose: () => this.post("settings_button_pressed") },
      { label: "Reload", symbol: "turn", choose: () => { this.frame.src = this.frame.getAttribute("src"); } },
    ].filter(Boolean));
  }

  /** A person closes it: the app may have asked to be asked first. */
  async dismiss() {
    if (this.asksToClose && !await confirmDialog(this.opened.title, "Changes that you made may not be saved.", "Close anyway")) return;
    this.close();
  }

  close() {
    this.dialog.close();
  }
}

function paint(node, property, color) {
  if (typeof color === "string" && HEX.test(color)) node.style.setProperty(property, color);
}

function parsed(text) {
  try {
    return typeof text === "string" ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
