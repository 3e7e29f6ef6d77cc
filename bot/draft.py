"""What a conversation has gathered so far, typed."""

from typing import Self

from aiogram.fsm.context import FSMContext
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
        try:
            return cls.model_validate(await state.get_data())
        except ValidationError:
            return None

    async def keep(self, state: FSMContext) -> None:
        """Store the draft."""
        await state.set_data(self.model_dump(mode="json"))
