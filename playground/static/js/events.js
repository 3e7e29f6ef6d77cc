/* What the server tells, kind by kind. An event the page does not know is passed over. */

import { attempt } from "./toast.js";

/** @param {object} page the Page; gives a table: kind -> what to do with the event's body */
export function handlers(page) {
  const { state, log, composer, head, doing } = page;
  const isOpen = (key) => key === state.chat.key;
  return {
    reload: () => attempt(() => page.load()),
    connected: ({ bot }) => { state.connected.add(bot); head.showNotice(); },
    person: ({ person }) => { state.people.set(person.id, person); },
    bot: ({ bot }) => botChanged(page, bot),
    started: ({ chat }) => setOf(page, chat, { started: true, blocked: false }),
    blocked: ({ chat, blocked }) => setOf(page, chat, { blocked }),
    message: ({ chat, message }) => messageCame(page, state.chats.get(chat), message),
    edited: ({ chat, message }) => {
      const place = state.chats.get(chat);
      if (place.last?.id === message.id) place.last = message;
      if (isOpen(chat)) log.edit(message);
      page.showChats();
    },
    deleted: ({ chat, messages }) => {
      if (isOpen(chat)) log.remove(messages);
      const place = state.chats.get(chat);
      if (!messages.includes(place.last?.id)) return;
      place.last = isOpen(chat) ? [...log.messages.values()].at(-1) : undefined;
      page.showChats();
    },
    action: ({ chat, action }) => isOpen(chat) && head.showAction(action),
    draft: (body) => isOpen(body.chat) && log.drafts.show(body, log.view.actions),
    draft_stopped: ({ chat, draft_id: id, keep }) => isOpen(chat) && log.drafts.stop(id, keep),
    reply_keyboard: ({ chat, keyboard }) => {
      state.chats.get(chat).reply_keyboard = keyboard;
      if (isOpen(chat)) composer.setReplyKeyboard(keyboard);
    },
    answer: (body) => doing.presses.settle(body.query, body),
    payment: (body) => doing.payments.settle(body.payment, body),
  };
}

function botChanged(page, bot) {
  const { state, composer } = page;
  state.bots.set(bot.id, bot);
  page.showChats();
  if (!state.chat.bots.includes(bot.id)) return;
  page.head.show();
  page.log.about = state.about(state.chat);
  if (!page.log.messages.size) page.log.rebuild();
  const before = JSON.stringify([composer.commands, composer.menuApp]);
  if (JSON.stringify([state.commands(state.chat), state.menuApp(state.chat)]) !== before) page.showComposer();
}

function setOf(page, key, changes) {
  Object.assign(page.state.chats.get(key), changes);
  if (page.state.chat.key === key) page.showComposer();
}

function messageCame(page, place, message) {
  const { state, log, head } = page;
  place.last = message;
  const open = place.key === state.chat.key;
  if (open) {
    log.add(message, message.from.id === state.person.id);
    if (message.from.is_bot) head.showAction(null);
  }
  if ((!open || document.hidden) && message.from.id !== state.person.id) place.unread += 1;
  page.showChats();
}
