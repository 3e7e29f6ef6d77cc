/* One message, or one album, as a bubble with its keyboard. */

import { clock, el, fileSize, icon } from "./dom.js";
import { link, richText } from "./richtext.js";

const MAX_SIDE = 420;
const MIN_SIDE = 200;
const MAX_HEIGHT = 460;

/** The size a picture is shown at: small ones grow to a comfortable size, large ones shrink. */
export function shownSize(width, height) {
  if (!width || !height) return [320, 240];
  const scale = Math.min(MAX_SIDE / width, MAX_HEIGHT / height, Math.max(1, 340 / Math.max(width, height)));
  return [Math.max(MIN_SIDE, Math.round(width * scale)), Math.max(60, Math.round(height * scale))];
}

/**
 * @param {object[]} group one message, or the messages of an album in order
 * @param {object} view me: id of the acting person; inGroup; actions: reply, press, open, command, jump
 */
export function bubble(group, view) {
  const head = group[0];
  const out = head.from.id === view.me;
  const node = el("div", { class: `message ${out ? "out" : "in"}`, role: "article",
    "aria-label": `${head.from.name}, ${clock(head.date)}`,
    data: { messageId: head.id, sender: head.from.id, date: head.date } });
  node.append(body(group, out, view));
  if (head.keyboard) node.append(keyboard(head, view));
  node.append(el("button", { class: "round reply-here", type: "button", "aria-label": "Reply",
    onclick: () => view.actions.reply(head) }, icon("reply")));
  return node;
}

function body(group, out, view) {
  const spoken = group.find((message) => message.text) ?? group[0];
  const { media } = group[0];
  const visual = media && !["document", "audio"].includes(media.kind);
  const parts = visual ? visuals(group, view) : media ? files(group) : null;
  const meta = metaOf(group, out);
  const bare = visual && !spoken.text && !spoken.reactions.length;
  const text = spoken.text && el("div", { class: "text", dir: "auto" },
    richText(spoken.text, spoken.entities, view.actions.command), !bare && meta);
  const kind = ["bubble", visual && "media", bare && "bare", spoken.caption_above && "above"];
  const node = el("div", { class: kind.filter(Boolean).join(" ") });
  if (view.inGroup && !out) node.append(el("span", { class: "sender" }, spoken.from.name));
  if (group[0].reply_to) node.append(quote(group[0].reply_to, view.actions.jump));
  if (spoken.caption_above && text) node.append(text);
  if (parts) node.append(parts);
  if (!spoken.caption_above && text) node.append(text);
  if (!text) node.append(meta);
  if (spoken.reactions.length) {
    node.append(el("div", { class: "reactions" }, spoken.reactions.map((mark) => el("span", {}, mark.emoji))));
  }
  if (visual) node.style.width = `${group.length > 1 ? MAX_SIDE : shownSize(media.width, media.height)[0]}px`;
  return node;
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

export function quote(original, onJump) {
  const kinds = { photo: "Photo", document: "File", video: "Video", animation: "GIF", audio: "Audio" };
  return el("button", { class: "quote", type: "button", onclick: () => onJump(original.id) },
    el("b", {}, original.name), el("span", { dir: "auto" }, original.text || kinds[original.media] || "Message"));
}

function visuals(group, view) {
  const open = (message) => () => view.actions.open(message);
  if (group.length === 1) return picture(group[0], open(group[0]), true);
  const count = group.length;
  const shape = count % 3 === 0 || count > 4 ? "thirds" : count % 2 ? "odd-1" : "";
  const grid = el("div", { class: `grid ${shape}` }, group.map((message) => picture(message, open(message), false)));
  if (shape === "thirds") {
    // A last row of one or two would leave holes: the first row is made of wide ones instead.
    const wide = { 1: 4, 2: 2 }[count % 3] ?? 0;
    [...grid.children].slice(0, wide).forEach((child) => child.classList.add("wide"));
  }
  return grid;
}

function picture(message, onOpen, alone) {
  const { media } = message;
  const [width, height] = shownSize(media.width, media.height);
  const node = el("a", { class: `picture${message.spoiler ? " hidden-media" : ""}`, href: media.url,
    "aria-label": media.kind === "photo" ? "Open the photo" : "Open the video",
    data: alone ? {} : { messageId: message.id },
    onclick: (event) => {
      event.preventDefault();
      if (node.classList.contains("hidden-media")) node.classList.remove("hidden-media");
      else onOpen();
    } });
  if (alone) {
    node.style.width = `${width}px`;
    node.style.maxWidth = "100%";
    node.style.aspectRatio = `${width} / ${height}`;
  }
  if (media.kind === "photo") {
    node.append(el("img", { src: media.url, alt: message.text || "Photo", width, height, decoding: "sync", draggable: "false" }));
  } else {
    const video = el("video", { src: media.url, preload: "metadata", playsinline: true });
    video.muted = true;
    if (media.kind === "animation") Object.assign(video, { autoplay: true, loop: true });
    node.append(video);
  }
  return node;
}

function files(group) {
  return el("div", { class: "files" }, group.map(({ id, media }) => {
    const shown = media.preview && el("img", { src: media.preview, alt: "", decoding: "sync" });
    return el("a", { class: "file", href: media.url, download: media.name ?? "file",
      data: group.length > 1 ? { messageId: id } : {} },
    el("span", { class: `sheet${shown ? " shown" : ""}` }, shown || icon("file")),
    el("span", {}, el("b", {}, media.name ?? "file"), el("small", {}, `${fileSize(media.size)} · `, "Download")));
  }));
}

function keyboard(message, view) {
  return el("div", { class: "keys" }, message.keyboard.map((row, rowIndex) =>
    el("div", {}, row.map((button, column) => key(button, message, rowIndex, column, view)))));
}

function key(button, message, row, column, view) {
  const kind = ["primary", "success", "danger"].includes(button.style) ? ` ${button.style}` : "";
  const place = { row, column, style: button.style ?? "" };
  if (button.url) {
    const node = link(button.url, [button.text, icon("link", "corner")], `key${kind}`);
    Object.assign(node.dataset, place);
    return node;
  }
  const node = el("button", { class: `key${kind}`, type: "button", data: place,
    disabled: "disabled" in button }, button.text);
  if (button.copy_text) {
    node.append(icon("copy", "corner"));
    node.addEventListener("click", () => view.actions.copy(button.copy_text.text));
  } else if ("callback_data" in button) {
    node.addEventListener("click", () => view.actions.press(node, message, row, column));
  } else if (!("disabled" in button)) {
    node.addEventListener("click", () => view.actions.unsupported());
  }
  return node;
}
