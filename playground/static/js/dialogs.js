/* Modal dialogs: what they have in common, and the plain ones. */

import { avatar, el } from "./dom.js";

/**
 * Show a dialog and give what it was closed with; it is removed afterwards.
 * `dismiss` is what Escape and a click beside it do.
 */
export function show(dialog, dismiss = () => dialog.close("")) {
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => event.target === dialog && dismiss());
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog) return;
    event.preventDefault();
    dismiss();
  });
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      // Toasts may have moved in here, to be seen above it.
      const toasts = dialog.querySelector("#toasts");
      if (toasts) document.body.append(toasts);
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

export function cancelButton(label = "Cancel") {
  return el("button", { type: "button", onclick: (event) => event.target.closest("dialog").close("") }, label);
}

export function alertDialog(name, text) {
  return show(el("dialog", { "aria-label": name, data: { alert: "" } },
    el("form", { method: "dialog" }, el("h2", {}, name), el("p", { class: "said" }, text),
      el("div", { class: "actions" }, el("button", { type: "submit", value: "ok", autofocus: true }, "OK")))));
}

/** Ask before something happens; gives whether it may. */
export async function confirmDialog(title, text, yes) {
  const answer = await show(el("dialog", { "aria-label": title, data: { confirm: "" } },
    el("form", { method: "dialog" }, el("h2", {}, title), text && el("p", { class: "said" }, text),
      el("div", { class: "actions" }, cancelButton(),
        el("button", { type: "submit", value: "ok", autofocus: true }, yes)))));
  return answer === "ok";
}

/** Show buttons of the caller's choice; gives the id of the pressed one, "" where none was. */
export function choiceDialog(title, text, buttons) {
  return show(el("dialog", { "aria-label": title || "Message", data: { popup: "" } },
    el("form", { method: "dialog" }, title && el("h2", {}, title), el("p", { class: "said" }, text),
      el("div", { class: "actions" }, buttons.map(({ id, label, danger }, index) =>
        el("button", { type: "submit", value: id, class: danger ? "danger" : "", autofocus: index === 0 }, label))))));
}

/** Choose one of several chats; gives its key or "". */
export function chatDialog(title, chats) {
  return show(el("dialog", { "aria-label": title, data: { choose: "" } },
    el("form", { method: "dialog" }, el("h2", {}, title),
      el("div", { class: "choices" }, chats.map(({ key, name, id, kind }) =>
        el("button", { type: "submit", value: key }, avatar(name, id, kind), el("b", {}, name)))),
      el("div", { class: "actions" }, cancelButton()))));
}

const LANGUAGES = { en: "English", ru: "Русский", de: "Deutsch", es: "Español", fr: "Français", uk: "Українська" };

/** Ask who is new here; gives {name, language, premium} or null. */
export async function personDialog() {
  const name = el("input", { name: "name", required: true, maxlength: "64", autocomplete: "off", autofocus: true });
  const language = el("select", { name: "language" },
    Object.entries(LANGUAGES).map(([code, label]) => el("option", { value: code, lang: code }, label)));
  const premium = el("input", { type: "checkbox", name: "premium" });
  const answer = await show(el("dialog", { "aria-label": "New person" }, el("form", { method: "dialog" },
    el("h2", {}, "New person"), el("label", {}, "Name", name), el("label", {}, "Language of their Telegram", language),
    el("label", { class: "check" }, premium, "Has Telegram Premium"),
    el("div", { class: "actions" }, cancelButton(), el("button", { type: "submit", value: "ok" }, "Create")))));
  if (answer !== "ok" || !name.value.trim()) return null;
  return { name: name.value.trim(), language: language.value, premium: premium.checked };
}
