/* Files about to be sent: looked at, taken away one by one, given a caption. */

import { el, fileSize, icon } from "./dom.js";
import { cancelButton, show } from "./dialogs.js";

const PICTURE = /^image\/(jpeg|png|webp|bmp)$/;
const MOVING = /^(video\/(mp4|webm|quicktime)|image\/gif)$/;

const sendsAsMedia = (file) => PICTURE.test(file.type) || MOVING.test(file.type);

/** Ask how to send files; gives {files, caption, asFile} or null. */
export async function sendDialog(given, asFile, typed) {
  let files = [...given];
  const addresses = new Map(files.map((file) => [file, URL.createObjectURL(file)]));
  const title = el("h2", { id: "send-title" });
  const previews = el("ul", { class: "previews" });
  const uncompressed = el("input", { type: "checkbox", name: "as-file" });
  const choice = el("label", { class: "check" }, uncompressed, "Send as a file, without compression");
  const caption = captionField(typed, () => dialog.close("send"));
  uncompressed.checked = asFile;

  const refresh = () => {
    const canBeMedia = files.every(sendsAsMedia);
    const pictures = files.every((file) => PICTURE.test(file.type));
    choice.hidden = !canBeMedia;
    title.textContent = files.length > 1 ? `Send ${files.length} files` : pictures ? "Send a photo" : canBeMedia ? "Send a video" : "Send a file";
    previews.replaceChildren(...files.map((file, index) => preview(file, addresses.get(file), canBeMedia, files.length === 1, () => {
      files = files.filter((other) => other !== file);
      if (!files.length) return dialog.close("");
      refresh();
      const left = previews.querySelectorAll("button");
      left[Math.min(index, left.length - 1)].focus();
    })));
  };
  const dialog = el("dialog", { "aria-labelledby": "send-title", class: "send" }, el("form", { method: "dialog" },
    title, previews, choice, caption,
    el("div", { class: "actions" }, cancelButton(), el("button", { type: "submit", value: "send" }, "Send"))));
  refresh();
  const chosen = await show(dialog);
  addresses.forEach((address) => URL.revokeObjectURL(address));
  if (chosen !== "send") return null;
  return { files, caption: caption.value, asFile: uncompressed.checked || !files.every(sendsAsMedia) };
}

function captionField(typed, send) {
  const caption = el("textarea", { name: "caption", rows: "1", maxlength: "1024", placeholder: "Add a caption…",
    "aria-label": "Caption", autofocus: true, onkeydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    } });
  caption.value = typed;
  return caption;
}

function preview(file, address, asMedia, alone, remove) {
  const shown = !asMedia
    ? el("p", {}, icon("file"), `${file.name} (${fileSize(file.size)})`)
    : MOVING.test(file.type) && file.type !== "image/gif"
      ? el("video", { src: address, muted: true, preload: "metadata", "aria-label": file.name })
      : el("img", { src: address, alt: file.name });
  return el("li", { class: asMedia && !alone ? "" : "one" }, shown,
    el("button", { class: "round", type: "button", "aria-label": `Remove ${file.name}`, onclick: remove }, icon("close")));
}
