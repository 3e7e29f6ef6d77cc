/* What a person does in the page, each as one request to the server. */

import { chatDialog, choiceDialog, confirmDialog, alertDialog } from "./dialogs.js";
import { paySheet } from "./invoice.js";
import { botLink } from "./links.js";
import { Pairing } from "./pairing.js";
import { act, get } from "./server.js";
import { attempt, toast } from "./toast.js";
import { viewer } from "./viewer.js";
import { isVisual } from "./media.js";
import { MiniApp } from "./webapp.js";

const ANSWER_MS = 15_000;
const PAYMENT_MS = 20_000;

export class Doing {
  /** @param {object} page state, composer, log, openChat(key) */
  constructor(page) {
    this.page = page;
    this.presses = new Pairing();
    this.payments = new Pairing();
  }

  /** Ask the server to let the person act; gives its answer, or null once the refusal was shown. */
  act(fields, files) {
    return attempt(() => act({ ...this.page.state.here(), ...fields }, files));
  }

  send(text, replyTo) {
    return this.act({ text, reply_to: replyTo });
  }

  sendFiles(files, caption, asFile, replyTo) {
    return this.act({ text: caption, as: asFile ? "document" : "media", reply_to: replyTo }, files);
  }

  edit(message, text) {
    return this.act({ edit: { message_id: message.id, text } });
  }

  react(message, emoji) {
    return this.act({ react: { message_id: message.id, emoji: emoji ?? "" } });
  }

  stop(draftId) {
    return this.act({ stop_draft: { draft_id: draftId } });
  }

  async remove(message) {
    if (await confirmDialog("Delete this message?", "", "Delete")) await this.act({ delete: { message_ids: [message.id] } });
  }

  async forward(message) {
    const { state } = this.page;
    const from = state.chat.key;
    const key = await this.chooseChat("Forward to…");
    if (!key) return;
    const sent = await attempt(() => act({ person: state.person.id, chat: key, forward: { from, message_ids: [message.id] } }));
    if (sent && key !== from) await this.page.openChat(key);
  }

  chooseChat(title) {
    const { state } = this.page;
    return chatDialog(title, state.mine().map((chat) => ({ key: chat.key, name: state.nameOf(chat),
      id: chat.kind === "private" ? chat.bots[0] : chat.id, kind: chat.kind === "private" ? "person" : "group" })));
  }

  async copy(text) {
    await attempt(async () => {
      await navigator.clipboard.writeText(text);
      toast("Copied");
    });
  }

  view(group, message) {
    return viewer(group.filter(({ media }) => isVisual(media)), message);
  }

  /** Press a button: it turns until the bot answers or the time is over. */
  async press(node, message, row, column) {
    if (node.getAttribute("aria-busy") === "true") return;
    node.setAttribute("aria-busy", "true");
    const asked = () => act({ ...this.page.state.here(), press: { message_id: message.id, row, column } });
    const answer = await attempt(() => this.presses.ask(async () => (await asked()).query, ANSWER_MS));
    node.removeAttribute("aria-busy");
    if (answer) await this.showAnswer(answer);
  }

  async showAnswer({ text, alert, chat, url }) {
    const { state } = this.page;
    if (url) await this.openTelegramLink(url);
    if (!text) return;
    if (alert) await alertDialog(state.nameOf(state.chats.get(chat)), text);
    else toast(text);
  }

  /** Pay an invoice of a message, or one that a Mini App named; gives paid, cancelled or failed. */
  async pay(invoice, which, seller) {
    if (!await paySheet(invoice, seller)) return "cancelled";
    const asked = () => act({ ...this.page.state.here(), pay: which });
    const outcome = await attempt(() => this.payments.ask(async () => (await asked()).payment, PAYMENT_MS));
    if (!outcome) return "failed";
    toast(outcome.status === "paid" ? "Payment done" : `Payment failed: ${outcome.error}`);
    return outcome.status;
  }

  payFor(message) {
    if (message.invoice.paid) return toast("This is paid already");
    return this.pay(message.invoice, { message_id: message.id }, message.from.name);
  }

  /** Follow a link to a bot of this playground; tells whether it was one. */
  async openTelegramLink(address) {
    const { state } = this.page;
    const link = botLink(address);
    const bot = link && state.botNamed(link.username);
    if (!bot) {
      toast("There is no such bot here");
      return false;
    }
    await this.page.openChat(`${bot.id}-${state.person.id}`);
    if (link.start) await this.send(`/start ${link.start}`, null);
    return true;
  }

  inlineHere(message, query) {
    this.page.composer.write(`@${this.usernameOf(message)} ${query}`);
  }

  async inlineElsewhere(message, query) {
    const name = this.usernameOf(message);
    const key = await this.chooseChat("Choose a chat");
    if (!key) return;
    await this.page.openChat(key);
    this.page.composer.write(`@${name} ${query}`);
  }

  usernameOf({ from, via_bot: via }) {
    return via?.username ?? this.page.state.bots.get(from.id).username;
  }

  async askInline(bot, query, offset) {
    return attempt(async () => {
      const asked = await act({ ...this.page.state.here(), inline: { bot: bot.id, query, offset } });
      return get("/page/inline", { query: asked.query });
    });
  }

  async chooseInline(query, result) {
    this.page.composer.write("");
    await this.act({ choose: { query, result } });
  }

  async pressInlineButton(bot, query, button) {
    if (button.web_app) return this.openApp({ source: "inline", query });
    await this.page.openChat(`${bot.id}-${this.page.state.person.id}`);
    return this.send(`/start ${button.start_parameter}`, null);
  }

  /** Open a Mini App; `from` says which button it was, as the server wants it. */
  async openApp(from) {
    const here = this.page.state.here();
    const opened = await attempt(() => act({ ...here, web_app: from }));
    if (!opened) return;
    const bot = this.page.state.bots.get(opened.bot);
    const app = new MiniApp(opened, this.hostOf(opened, bot, () => app.close()));
    await app.run();
    // Only a courtesy to the server: that it is gone is no news to the person.
    if (!app.sent) await act({ ...here, close_app: { app: opened.app } }).catch(() => null);
  }

  /** What a Mini App may do beyond its frame. */
  hostOf(opened, bot, close) {
    return {
      sendData: async (data) => {
        const sent = await this.act({ web_app_data: { app: opened.app, data } });
        if (sent) close();
        return Boolean(sent);
      },
      pay: async (slug) => {
        const invoice = await attempt(() => get("/page/invoice", { slug }));
        return invoice ? this.pay(invoice, { slug }, opened.title) : "failed";
      },
      openLink: (url) => openLink(url),
      openTelegramLink: async (path) => {
        close();
        await this.openTelegramLink(path);
      },
      inline: async (query, elsewhere) => {
        close();
        const message = { from: { id: bot.id } };
        await (elsewhere ? this.inlineElsewhere(message, query) : this.inlineHere(message, query));
      },
    };
  }
}

/** A press in a frame does not let this page open a window: the person is asked here. */
async function openLink(url) {
  let safe = false;
  try {
    safe = ["http:", "https:"].includes(new URL(url).protocol);
  } catch { /* not an address */ }
  if (!safe) return;
  const pressed = await choiceDialog("Open this link?", url, [{ id: "open", label: "Open" }, { id: "", label: "Cancel" }]);
  if (pressed) window.open(url, "_blank", "noopener,noreferrer");
}
