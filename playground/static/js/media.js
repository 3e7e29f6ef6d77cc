/* What a message carries besides words: photos, albums, videos, files. */

import { duration, el, fileSize, icon } from "./dom.js";

export const ALBUM_WIDTH = 420;
const MAX_SIDE = 420;
const MIN_SIDE = 200;
const MAX_HEIGHT = 460;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const SHEETS = new Set(["document", "audio", "voice"]);

/** Whether an <img> shows it: photos, and animations that are GIF files. */
export const isStill = (media) => media.kind === "photo" || media.mime === "image/gif";
export const isVisual = (media) => Boolean(media) && !SHEETS.has(media.kind);

/** The size a picture is shown at: small ones grow to a comfortable size, large ones shrink. */
export function shownSize(width, height) {
  if (!width || !height) return [320, 240];
  const scale = Math.min(MAX_SIDE / width, MAX_HEIGHT / height, Math.max(1, 340 / Math.max(width, height)));
  return [Math.max(MIN_SIDE, Math.round(width * scale)), Math.max(60, Math.round(height * scale))];
}

/** Resolve once what a media shows first can be painted without a blink. */
export async function decoded(media) {
  const address = media.kind === "photo" ? media.url : media.preview;
  if (!address) return;
  const image = new Image();
  image.src = address;
  await image.decode();
}

/** One picture, or an album as a grid. */
export function visuals(group, view) {
  const open = (message) => () => view.actions.open(group, message);
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
  const what = media.kind === "photo" ? "photo" : media.kind === "animation" ? "GIF" : "video";
  const node = el("a", { class: `picture${message.spoiler ? " hidden-media" : ""}`, href: media.url,
    "aria-label": message.spoiler ? `Show the hidden ${what}` : `Open the ${what}`,
    data: alone ? {} : { messageId: message.id },
    onclick: (event) => {
      event.preventDefault();
      if (!node.classList.contains("hidden-media")) return onOpen();
      node.classList.remove("hidden-media");
      node.setAttribute("aria-label", `Open the ${what}`);
    } });
  const [width, height] = shownSize(media.width, media.height);
  if (alone) {
    node.style.width = `${width}px`;
    node.style.maxWidth = "100%";
    node.style.aspectRatio = `${width} / ${height}`;
  }
  if (isStill(media)) {
    node.append(el("img", { src: media.url, alt: message.text || "Photo", width, height, decoding: "sync", draggable: "false" }));
    if (media.kind === "animation") node.append(el("span", { class: "badge" }, "GIF"));
  } else node.append(...moving(media));
  return node;
}

/** A GIF moves by itself, except for those who asked for calm; a video waits to be opened. */
function moving(media) {
  const video = el("video", { src: media.url, poster: media.preview, preload: "metadata", playsinline: true, tabindex: "-1" });
  video.muted = true;
  const plays = media.kind === "animation" && !CALM.matches;
  if (plays) Object.assign(video, { autoplay: true, loop: true });
  const label = media.kind === "animation" ? "GIF" : media.duration ? duration(media.duration) : "Video";
  return [video, !plays && el("span", { class: "play" }, icon("play")), el("span", { class: "badge" }, label)].filter(Boolean);
}

export function files(group) {
  return el("div", { class: "files" }, group.map(({ id, media }) =>
    ["audio", "voice"].includes(media.kind) ? sound(id, media, group.length > 1) : sheet(id, media, group.length > 1)));
}

function sheet(id, media, inAlbum) {
  const shown = media.preview && el("img", { src: media.preview, alt: "", decoding: "sync" });
  return el("a", { class: "file", href: media.url, download: media.name ?? "file", data: inAlbum ? { messageId: id } : {} },
    el("span", { class: `sheet${shown ? " shown" : ""}` }, shown || icon("file")),
    el("span", {}, el("b", {}, media.name ?? "file"), el("small", {}, `${fileSize(media.size)} · `, "Download")));
}

function sound(id, media, inAlbum) {
  return el("div", { class: "sound", data: inAlbum ? { messageId: id } : {} }, el("b", {}, media.name ?? (media.kind === "voice" ? "Voice message" : "Audio")),
    el("audio", { src: media.url, controls: true, preload: "metadata", "aria-label": media.name ?? "Audio" }));
}
