/* Texts a bot is still writing: shown under the newest message until it has sent them. */

import { el, fill, icon } from "./dom.js";
import { richText } from "./richtext.js";

const LIFETIME_MS = 30_000;

export class Drafts {
  /** @param {function()} onChange called when a draft came or went */
  constructor(onChange) {
    this.onChange = onChange;
    this.open = new Map();
  }

  show({ draft_id: id, text, entities, can_stop: canStop }, actions) {
    const draft = this.open.get(id) ?? this.begin(id);
    clearTimeout(draft.timer);
    draft.timer = setTimeout(() => this.drop(id), LIFETIME_MS);
    fill(draft.text, text ? richText(text, entities, actions.command) : "…");
    const stop = canStop && el("button", { class: "stop", type: "button", onclick: () => actions.stop(id) }, icon("stop"), "Stop");
    fill(draft.foot, stop);
    this.onChange();
  }

  begin(id) {
    const text = el("div", { class: "text", dir: "auto", data: { draft: id } });
    const foot = el("div", { class: "draft-foot" });
    const node = el("div", { class: "message in tail draft" }, el("div", { class: "bubble" }, text), foot);
    const draft = { node, text, foot };
    this.open.set(id, draft);
    return draft;
  }

  drop(id) {
    clearTimeout(this.open.get(id)?.timer);
    if (this.open.delete(id)) this.onChange();
  }

  /** The person stopped it: what is there stays without the button, or goes at once. */
  stop(id, keep) {
    if (keep) this.open.get(id)?.foot.replaceChildren();
    else this.drop(id);
  }

  /** Forget all of them, without a word: what follows shows the list anew. */
  clear() {
    this.open.forEach((draft) => clearTimeout(draft.timer));
    this.open.clear();
  }

  nodes() {
    return [...this.open.values()].map((draft) => draft.node);
  }
}
