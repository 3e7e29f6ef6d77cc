"""Failures on demand: what a test asks the playground to do wrong, for the next calls."""

from pydantic import BaseModel, ConfigDict, Field

from playground.model import Json


class Fault(BaseModel):
    """What happens to the next `times` calls of a method.

    Attributes:
        method: "*" for any method but getUpdates.
        error_code: answer with this error instead of doing the work.
        raw_body: answer with these very characters instead of JSON, with status `error_code`
            or 200.
        delay_ms: wait first.
        drop_after: do the work, then cut the connection: the bot cannot know that it was done.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    times: int = Field(1, ge=1, le=1_000_000)
    error_code: int | None = Field(None, ge=400, le=599)
    description: str = "Internal Server Error"
    parameters: Json | None = None
    raw_body: str | None = None
    delay_ms: int = Field(0, ge=0, le=600_000)
    drop_after: bool = False

    def matches(self, method: str) -> bool:
        """Whether the fault is meant for a method."""
        if self.method == "*":
            return method.lower() != "getupdates"
        return self.method.lower() == method.lower()


class Faults:
    """Faults in the order they were asked for; each goes when it is used up."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        self._waiting.append(fault)

    def take(self, method: str) -> Fault | None:
        """Use up one turn of the first fault that matches a call."""
        for fault in self._waiting:
            if fault.matches(method):
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Let everything work again."""
        self._waiting.clear()
