"""Looking at chats and their members."""

from aiogram.methods import GetChat, GetChatMember

from playground import render
from playground.api.call import Call
from playground.errors import bad_request
from playground.model import Json


async def get_chat(call: Call, method: GetChat) -> Json:
    """Describe a chat the bot is in."""
    return render.chat_full_info(call.chat(method.chat_id))


async def get_chat_member(call: Call, method: GetChatMember) -> Json:
    """Say what somebody is in a chat; the first person of a group made it."""
    chat = call.chat(method.chat_id)
    for bot in chat.bots:
        if bot.id == method.user_id:
            return {"status": "member", "user": render.user(bot)}
    for place, person in enumerate(chat.people):
        if person.id == method.user_id:
            shown = render.user(person)
            if place == 0 and not chat.is_private:
                return {"status": "creator", "user": shown, "is_anonymous": False}
            return {"status": "member", "user": shown}
    stranger = call.world.people.get(method.user_id)
    if stranger is None:
        raise bad_request("user not found")
    return {"status": "left", "user": render.user(stranger)}
