/* What can be done with one message: asked for by a right click, a long press or the menu key. */

import { popover } from "./popover.js";

const REACTIONS = ["👍", "❤", "🔥", "🎉", "😁", "😢"];
const MARGIN_PX = 8;

/**
 * Open menus on messages of a list.
 * @param {function(number): ?object} find a message by its number
 * @param {object} can reply, edit, copy, forward, remove, react, each called with the message; mine(message)
 */
export function watchMessages(list, find, can) {
  list.addEventListener("contextmenu", (event) => {
    const node = event.target.closest("[data-message-id]");
    const message = node && find(Number(node.dataset.messageId));
    if (!message || message.service) return;
    event.preventDefault();
    open(node, message, event, can);
  });
}

function open(node, message, event, can) {
  const mine = can.mine(message);
  const opener = node.closest(".message");
  const entries = [
    ...REACTIONS.map((emoji) => ({ label: emoji, note: `React with ${emoji}`, compact: true, choose: () => can.react(message, emoji) })),
    { label: "Reply", symbol: "reply", choose: () => can.reply(message) },
    mine && (message.text || message.media) && !message.via_bot && { label: "Edit", symbol: "edit", choose: () => can.edit(message) },
    message.text && { label: "Copy text", symbol: "copy", choose: () => can.copy(message.text) },
    !message.protected && { label: "Forward", symbol: "forward", choose: () => can.forward(message) },
    can.remove(message) && { label: "Delete", symbol: "trash", choose: can.remove(message) },
  ].filter(Boolean);
  popover(document.querySelector("main"), opener, "message-menu", entries);
  const menu = document.querySelector(".message-menu");
  const [area, box] = [menu.parentElement.getBoundingClientRect(), menu.getBoundingClientRect()];
  // The menu key names no point: the middle of the message stands for it.
  const at = node.getBoundingClientRect();
  const [x, y] = event.clientX || event.clientY ? [event.clientX, event.clientY] : [at.left + at.width / 2, at.top + at.height / 2];
  menu.style.left = `${Math.max(MARGIN_PX, Math.min(x - area.left, area.width - box.width - MARGIN_PX))}px`;
  menu.style.top = `${Math.max(MARGIN_PX, Math.min(y - area.top, area.height - box.height - MARGIN_PX))}px`;
}
