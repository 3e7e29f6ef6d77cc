/* What a bot sells: the card in the chat, and the sheet over the page. */

import { el } from "./dom.js";
import { cancelButton, show } from "./dialogs.js";

const STARS = "XTR";

/** An amount in the currency's smallest unit as people write it. */
export function price(amount, currency) {
  if (currency === STARS) return `⭐ ${amount}`;
  try {
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    return `${amount} ${currency}`;
  }
}

export function invoiceCard({ title, description, currency, total_amount: total, photo, paid }) {
  return el("div", { class: "invoice" }, photo && el("img", { src: photo, alt: "" }), el("b", {}, title), el("p", {}, description),
    el("small", {}, paid ? `Paid: ${price(total, currency)}` : price(total, currency)));
}

/** Ask whether to pay; gives true or false. */
export async function paySheet(invoice, seller) {
  const { title, description, currency, total_amount: total } = invoice;
  const answer = await show(el("dialog", { class: "sheet-dialog", "aria-label": "Pay", data: { pay: "" } },
    el("form", { method: "dialog" },
      el("h2", {}, "Confirm your purchase"),
      el("div", { class: "invoice" }, el("b", {}, title), el("p", {}, description)),
      el("dl", { class: "bill" },
        (invoice.prices ?? []).flatMap(({ label, amount }) => [el("dt", {}, label), el("dd", {}, price(amount, currency))]),
        el("dt", {}, "Total"), el("dd", {}, price(total, currency)), el("dt", {}, "To"), el("dd", {}, seller)),
      el("div", { class: "actions" }, cancelButton(),
        el("button", { type: "submit", value: "pay", autofocus: true }, `Pay ${price(total, currency)}`)))));
  return answer === "pay";
}
