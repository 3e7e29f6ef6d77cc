/* Photos and videos at full size: zoomed, dragged, and one after another. */

import { el, icon } from "./dom.js";
import { show } from "./dialogs.js";
import { isStill } from "./media.js";

const MAX_ZOOM = 6;
const STEP = 1.5;
const SLACK_PX = 4;
/** A small picture grows to at most twice its size, or to this. */
const COMFORTABLE_PX = 480;

/** Show one of several messages' pictures; arrows lead to its neighbours. */
export function viewer(messages, first) {
  let at = messages.indexOf(first);
  let stage = null;
  const place = el("div", { class: "stage" });
  const counter = el("p", { class: "counter", role: "status" });
  const caption = el("p", { class: "viewer-caption", dir: "auto" });
  const round = (label, symbol, press, more = {}) =>
    el("button", { class: "round", type: "button", "aria-label": label, onclick: press, ...more }, icon(symbol));
  const download = el("a", { class: "round", "aria-label": "Download" }, icon("download"));
  const closer = round("Close", "close", () => dialog.close(), { autofocus: true });
  const zooms = [round("Zoom out", "less", () => stage.zoom(1 / STEP)), round("Zoom in", "more", () => stage.zoom(STEP))];
  const arrows = messages.length > 1
    ? [round("Previous", "back", () => move(-1), { "data-side": "left" }), round("Next", "next", () => move(1), { "data-side": "right" })]
    : [];
  const move = (by) => {
    if (messages[at + by]) turnTo(at + by);
  };
  const turnTo = (index) => {
    at = index;
    const message = messages[at];
    const isPhoto = isStill(message.media);
    stage = isPhoto ? photoStage(message, () => dialog.close()) : videoStage(message);
    place.replaceChildren(stage.node);
    zooms.forEach((button) => { button.hidden = !isPhoto; });
    counter.textContent = messages.length > 1 ? `${at + 1} of ${messages.length}` : "";
    caption.textContent = message.text;
    download.href = message.media.url;
    download.download = message.media.name ?? "photo.jpg";
    arrows.forEach((button, side) => { button.disabled = !messages[at + (side ? 1 : -1)]; });
    if (document.activeElement?.disabled) closer.focus();
  };
  const dialog = el("dialog", { class: "viewer", "aria-label": "Full size", onkeydown: (event) => {
    if (event.target.tagName === "VIDEO") return;
    if (event.key === "ArrowLeft") move(-1);
    else if (event.key === "ArrowRight") move(1);
    else if (event.key === "+" || event.key === "=") stage.zoom(STEP);
    else if (event.key === "-") stage.zoom(1 / STEP);
    else if (event.key === "0") stage.zoom(0);
  } }, place, arrows, caption, el("div", { class: "tools" }, counter, zooms, download, closer));
  turnTo(at);
  place.addEventListener("click", (event) => event.target === place && dialog.close());
  return show(dialog);
}

function videoStage({ media, text }) {
  const node = el("video", { src: media.url, poster: media.preview, controls: true, autoplay: true, playsinline: true,
    loop: media.kind === "animation", "aria-label": text || "Video" });
  fit(node, media);
  return { node, zoom: () => {} };
}

function fit(node, { width, height }) {
  node.style.setProperty("--ratio", String((width || 4) / (height || 3)));
  node.style.setProperty("--most", `${Math.max(2 * width, COMFORTABLE_PX)}px`);
}

function photoStage({ media, text }) {
  const node = el("img", { src: media.url, alt: text || "Photo", draggable: "false" });
  fit(node, media);
  let [scale, left, top] = [1, 0, 0];
  const place = () => {
    if (scale === 1) [left, top] = [0, 0];
    node.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    node.classList.toggle("zoomed", scale > 1);
    node.dataset.zoom = scale.toFixed(2);
  };
  /** Grow around a point of the screen; a factor of 0 shows all of it again. */
  const zoom = (factor, x = innerWidth / 2, y = innerHeight / 2) => {
    const next = factor ? Math.min(MAX_ZOOM, Math.max(1, scale * factor)) : 1;
    const box = node.getBoundingClientRect();
    left += (x - box.left - box.width / 2) * (1 - next / scale);
    top += (y - box.top - box.height / 2) * (1 - next / scale);
    scale = next;
    place();
  };
  node.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX, event.clientY);
  }, { passive: false });
  watchFingers(node, {
    drag: (dx, dy) => {
      if (scale === 1) return;
      left += dx;
      top += dy;
      place();
    },
    pinch: zoom,
    tap: (x, y) => zoom(scale > 1 ? 0 : 2.5, x, y),
  });
  place();
  return { node, zoom };
}

/** One finger drags, two pinch, one that did not move taps. */
function watchFingers(node, { drag, pinch, tap }) {
  const fingers = new Map();
  let moved = 0;
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { far: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    if (!fingers.size) moved = 0;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  node.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const wide = fingers.size === 2 && spread();
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    moved += Math.abs(event.clientX - before.x) + Math.abs(event.clientY - before.y);
    if (wide) pinch(spread().far / (wide.far || 1), wide.x, wide.y);
    else drag(event.clientX - before.x, event.clientY - before.y);
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId) || event.type !== "pointerup") return;
    if (!fingers.size && moved < SLACK_PX) tap(event.clientX, event.clientY);
  };
  for (const kind of ["pointerup", "pointercancel"]) node.addEventListener(kind, lift);
}
