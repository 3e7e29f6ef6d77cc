"""What a conversation has gathered so far, typed."""

from typing import Self

from aiogram.fsm.context import FSMContext
from aiogram.types import Message
from pydantic import BaseModel, ConfigDict, ValidationError


class Draft(BaseModel):
    """Half a request. Plain values only: any FSM storage must be able to keep it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    async def of(cls, state: FSMContext) -> Self | None:
        """Read the draft of this conversation; ``None`` where there is none of this kind.

        A draft stored by an older version, with other fields, is none as well: whoever comes
        back to it starts again.
        """
        if not (data := await state.get_data()):
            return None
        try:
            return cls.model_validate(data)
        except ValidationError:
            return None

    async def keep(self, state: FSMContext) -> None:
        """Store the draft."""
        await state.set_data(self.model_dump(mode="json"))


async def answers_question(message: Message, state: FSMContext) -> bool:
    """Whether this replies to the very message that the draft of this person belongs to.

    As a filter: in a group, where replies are all that we are meant to see.
    """
    question = message.reply_to_message
    shown_id = (await state.get_data()).get("shown_id")
    return question is not None and question.message_id == shown_id
