/* One message, or one album, as a bubble with its keyboard. */

import { clock, el, icon } from "./dom.js";
import { invoiceCard, price } from "./invoice.js";
import { keyboard } from "./keyboard.js";
import { ALBUM_WIDTH, files, isVisual, shownSize, visuals } from "./media.js";
import { richText } from "./richtext.js";

const KINDS = { photo: "Photo", document: "File", video: "Video", animation: "GIF", audio: "Audio", voice: "Voice message" };

/** What happened, in place of a bubble. */
const SERVICES = {
  web_app_data: ({ button_text: button }) => `Data from the “${button}” button was sent to the bot`,
  successful_payment: ({ total_amount: total, currency, title }) => `You paid ${price(total, currency)}${title ? ` for ${title}` : ""}`,
  refunded_payment: ({ total_amount: total, currency }) => `${price(total, currency)} were given back`,
};

/**
 * @param {object[]} group one message, or the messages of an album in order
 * @param {object} view me: id of the acting person; inGroup; actions: what presses lead to
 */
export function bubble(group, view) {
  const head = group[0];
  if (head.service) return serviceNote(head);
  const out = head.from.id === view.me;
  const node = el("div", { class: `message ${out ? "out" : "in"}`, role: "article",
    "aria-label": `${head.from.name}, ${clock(head.date)}`,
    tabindex: "-1", data: { messageId: head.id, sender: head.from.id, date: head.date } });
  node.append(body(group, out, view));
  if (head.keyboard) node.append(keyboard(head, view));
  node.append(el("button", { class: "round reply-here", type: "button", "aria-label": "Reply", tabindex: "-1",
    onclick: () => view.actions.reply(head) }, icon("reply")));
  return node;
}

function serviceNote(message) {
  return el("div", { class: "service", role: "article", "aria-label": "Note", data: { messageId: message.id, date: message.date } },
    noteText(message));
}

export function noteText({ service }) {
  return SERVICES[service.kind]?.(service) ?? "Service message";
}

function body(group, out, view) {
  const spoken = group.find((message) => message.text) ?? group[0];
  const { media } = group[0];
  const visual = isVisual(media);
  const meta = metaOf(group, out);
  const above = marks(group[0], out, view);
  const bare = visual && !spoken.text && !spoken.reactions.length && !above.length;
  const text = spoken.text && el("div", { class: "text", dir: "auto" },
    richText(spoken.text, spoken.entities, view.actions.command), !bare && meta);
  const parts = [
    group[0].invoice ? invoiceCard(group[0].invoice) : null,
    visual ? visuals(group, view) : media ? files(group) : null,
    text || null,
  ].filter(Boolean);
  if (spoken.caption_above) parts.reverse();
  const kind = ["bubble", visual && "media", bare && "bare", spoken.caption_above && "above"];
  const node = el("div", { class: kind.filter(Boolean).join(" ") }, above, parts, !text && meta);
  if (spoken.reactions.length) node.append(reactions(spoken, view));
  if (visual) node.style.width = `${group.length > 1 ? ALBUM_WIDTH : shownSize(media.width, media.height)[0]}px`;
  return node;
}

/** What stands over a message: who speaks, where it came from, what it answers. */
function marks(head, out, view) {
  const names = [];
  if (view.inGroup && !out) names.push(el("span", { class: "sender" }, head.from.name));
  if (head.forwarded_from) {
    names.push(el("span", { class: "mark-line forwarded" }, "Forwarded from ", el("b", {}, head.forwarded_from.name)));
  }
  if (head.via_bot) names.push(el("span", { class: "mark-line via" }, "via ", el("b", {}, `@${head.via_bot.username}`)));
  if (head.reply_to) names.push(quote(head.reply_to, view.actions.jump));
  return names;
}

function metaOf(group, out) {
  const newest = group[group.length - 1];
  const edited = group.some((message) => message.edit_date);
  return el("span", { class: "meta" },
    edited && el("span", { class: "edited" }, "edited"),
    el("time", { datetime: new Date(newest.date * 1000).toISOString(),
      title: new Date(newest.date * 1000).toLocaleString("en-GB") }, clock(newest.date)),
    out && icon("checks"));
}

function reactions(message, view) {
  return el("div", { class: "reactions" }, message.reactions.map(({ emoji, from }) => {
    const mine = from.includes(view.me);
    return el("button", { type: "button", class: mine ? "mine" : "", "aria-pressed": String(mine),
      "aria-label": `Reaction ${emoji}, ${from.length}`, onclick: () => view.actions.react(message, mine ? null : emoji) },
    emoji, from.length > 1 && ` ${from.length}`);
  }));
}

export function quote(original, onJump) {
  return el("button", { class: "quote", type: "button", onclick: () => onJump(original.id) },
    el("b", {}, original.name), el("span", { dir: "auto" }, original.text || KINDS[original.media] || "Message"));
}
