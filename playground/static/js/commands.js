/* Which of its commands a bot offers to whom. */

/** The commands a person sees: the narrowest scope, their language before the default. */
export function commandsOf(chat, state) {
  const wanted = [
    (scope) => String(scope.chat_id) === String(chat.id) && scope.type === "chat",
    (scope) => scope.type === (chat.kind === "private" ? "all_private_chats" : "all_group_chats"),
    (scope) => scope.type === "default",
  ];
  return chat.bots.flatMap((id) => {
    const known = state.bots.get(id).commands.map((entry) => ({ ...entry, scope: JSON.parse(entry.scope) }));
    for (const fits of wanted) {
      for (const language of [state.person.language, ""]) {
        const found = known.find((entry) => fits(entry.scope) && entry.language === language);
        if (found) return found.commands;
      }
    }
    return [];
  });
}
