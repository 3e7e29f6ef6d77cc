/* Inline mode: "@bot query" in the composer asks that bot, in whatever chat it is typed. */

import { el, icon } from "./dom.js";

const QUERY = /^@(\w+)\s([\s\S]*)$/;
const PAUSE_MS = 300;
const PICTURES = new Set(["photo", "gif", "mpeg4_gif", "video"]);

export class InlineMode {
  /**
   * @param {function(string): ?object} findBot the bot of a username that answers inline
   * @param {object} server ask(bot, query, offset) gives what /page/inline does; choose(query, result); button(bot, query, button)
   */
  constructor(findBot, server) {
    this.findBot = findBot;
    this.server = server;
    this.turn = 0;
  }

  /** What is in the composer has changed. */
  typed(text, suggestions) {
    clearTimeout(this.timer);
    this.turn += 1;
    const [, name, query] = QUERY.exec(text) ?? [];
    const bot = name && this.findBot(name.toLowerCase());
    if (!bot) return;
    const turn = this.turn;
    this.timer = setTimeout(() => this.ask({ bot, query: query.slice(0, 256), suggestions, turn }), PAUSE_MS);
  }

  async ask(asked, offset = "", earlier = []) {
    const { bot, query, suggestions, turn } = asked;
    const answer = await this.server.ask(bot, query, offset);
    if (turn !== this.turn || !answer) return;
    const results = [...earlier, ...answer.results.map((result) => ({ ...result, query: answer.query }))];
    const rows = results.map((result, index) => this.row(result, index));
    if (answer.next_offset) {
      rows.push({ id: "inline-more", className: "more-results", content: ["More results"],
        choose: () => this.ask(asked, answer.next_offset, results) });
    }
    const looks = results.length && results.every((result) => PICTURES.has(result.type) && result.preview) ? "mosaic" : "list";
    suggestions.show(`Results of @${bot.username}`, "inline", rows, { looks, note: this.note(bot, answer, results) });
  }

  row(result, index) {
    const label = result.title || result.text || result.type;
    const picture = result.preview && el("img", { src: result.preview, alt: PICTURES.has(result.type) ? label : "" });
    const words = el("span", { class: "words" }, el("b", {}, label), el("small", {}, result.description ?? ""));
    return { id: `inline-${index}`, className: picture ? "pictured" : "", content: [picture || icon("inline"), words],
      choose: () => this.server.choose(result.query, result.id) };
  }

  note(bot, { button, query, timed_out: timedOut }, results) {
    if (button) {
      return el("button", { class: "inline-button", type: "button", onclick: () => this.server.button(bot, query, button) }, button.text);
    }
    if (results.length) return null;
    return el("p", { class: "inline-note", role: "status" }, timedOut ? "The bot did not answer" : "Nothing found");
  }
}
