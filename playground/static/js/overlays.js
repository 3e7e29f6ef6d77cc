/* What lies over the page: menus, dialogs, the full-size view, toasts. */

import { avatar, el, fileSize, icon } from "./dom.js";

export function toast(text) {
  const node = el("div", { class: "toast", data: { toast: "" } }, text);
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), Math.max(2500, text.length * 70));
}

/** Show a dialog and give what it was closed with; it is removed afterwards. */
function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(""));
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

export function alertDialog(name, text) {
  return show(el("dialog", { "aria-label": name, data: { alert: "" } },
    el("form", { method: "dialog" }, el("h2", {}, name), el("p", { class: "said" }, text),
      el("div", { class: "actions" }, el("button", { type: "submit", value: "ok", autofocus: true }, "OK")))));
}

export function viewer(message) {
  const { media } = message;
  const shown = media.kind === "photo"
    ? el("img", { src: media.url, alt: message.text || "Photo" })
    : el("video", { src: media.url, controls: true, autoplay: true });
  const dialog = el("dialog", { class: "viewer", "aria-label": "Full size" }, shown,
    el("div", { class: "tools" },
      el("a", { class: "round", href: media.url, download: media.name ?? "photo.jpg", "aria-label": "Download" }, icon("download")),
      el("button", { class: "round", type: "button", "aria-label": "Close", autofocus: true, onclick: () => dialog.close() }, icon("close"))));
  shown.style.setProperty("--ratio", String((media.width || 4) / (media.height || 3)));
  return show(dialog);
}

export async function personDialog() {
  const name = el("input", { name: "name", required: true, maxlength: "64", autocomplete: "off", autofocus: true });
  const languages = { en: "English", ru: "Русский", de: "Deutsch", es: "Español", fr: "Français", uk: "Українська" };
  const language = el("select", { name: "language" },
    Object.entries(languages).map(([code, label]) => el("option", { value: code }, label)));
  const dialog = el("dialog", { "aria-label": "New person" }, el("form", { method: "dialog" },
    el("h2", {}, "New person"), el("label", {}, "Name", name), el("label", {}, "Language of their Telegram", language),
    el("div", { class: "actions" },
      el("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
      el("button", { type: "submit", value: "ok" }, "Create"))));
  return (await show(dialog)) === "ok" && name.value.trim() ? { name: name.value.trim(), language: language.value } : null;
}

/** Ask how to send files; gives {caption, asFile} or null. */
export async function sendDialog(files, asFile, typed) {
  const pictures = files.every((file) => /^image\/(jpeg|png|webp|gif|bmp)$/.test(file.type));
  const addresses = [];
  const previews = files.map((file) => {
    if (!pictures) return el("p", {}, icon("file"), `${file.name} (${fileSize(file.size)})`);
    addresses.push(URL.createObjectURL(file));
    return el("img", { src: addresses.at(-1), alt: file.name, class: files.length === 1 ? "one" : "" });
  });
  const caption = el("textarea", { name: "caption", rows: "1", maxlength: "1024", placeholder: "Add a caption…",
    "aria-label": "Caption", autofocus: true, onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        dialog.close("send");
      }
    } });
  caption.value = typed;
  const uncompressed = el("input", { type: "checkbox", name: "as-file" });
  uncompressed.checked = asFile || !pictures;
  const what = files.length > 1 ? `Send ${files.length} files` : pictures ? "Send a photo" : "Send a file";
  const dialog = el("dialog", { "aria-label": what }, el("form", { method: "dialog" },
    el("h2", {}, what), el("div", { class: "previews" }, previews),
    pictures && el("label", { class: "check" }, uncompressed, "Send as a file, without compression"), caption,
    el("div", { class: "actions" },
      el("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
      el("button", { type: "submit", value: "send" }, "Send"))));
  const chosen = await show(dialog);
  addresses.forEach((address) => URL.revokeObjectURL(address));
  return chosen === "send" ? { caption: caption.value, asFile: uncompressed.checked } : null;
}

/** Open a menu under `parent`; closes on a choice, a click elsewhere or Escape. */
export function popover(parent, opener, className, entries) {
  const close = () => {
    node.remove();
    opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
  };
  const outside = (event) => !node.contains(event.target) && !opener.contains(event.target) && close();
  const node = el("div", { class: `popover ${className}`, role: "menu", onkeydown: (event) => {
    const buttons = [...node.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "Escape") { close(); opener.focus(); }
    else if (event.key === "ArrowDown") buttons[(at + 1) % buttons.length].focus();
    else if (event.key === "ArrowUp") buttons.at(at - 1).focus();
    else return;
    event.preventDefault();
  } }, entries.map(({ label, note, symbol, person, checked, choose }) =>
    el("button", { type: "button", role: checked === undefined ? "menuitem" : "menuitemradio",
      "aria-checked": checked === undefined ? null : String(checked),
      onclick: () => { close(); choose(); } },
    person ? avatar(person.name, person.id) : icon(symbol), el("b", {}, label), note && el("small", {}, note))));
  parent.append(node);
  opener.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  node.querySelector("button").focus();
  return close;
}
