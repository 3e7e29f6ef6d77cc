/* Going from message to message with the keyboard. */

const STEPS = { ArrowUp: -1, ArrowDown: 1 };

/** Arrows move the focus through a list of messages; Enter replies to the one that has it. */
export function walkMessages(scroller, list, reply) {
  scroller.addEventListener("keydown", (event) => {
    const at = event.target.closest(".message");
    const isMessage = event.target === at;
    if (isMessage && event.key === "Enter") reply(Number(at.dataset.messageId));
    else if ((isMessage || event.target === scroller) && event.key in STEPS) {
      const nodes = [...list.querySelectorAll(".message:not(.draft)")];
      nodes[isMessage ? nodes.indexOf(at) + STEPS[event.key] : nodes.length - 1]?.focus();
    } else return;
    event.preventDefault();
  });
}
