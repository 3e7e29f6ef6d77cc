"""Reading what the page or a test says a person does: untrusted JSON, field by field."""

from dataclasses import dataclass
from typing import Any, Final

from playground.arguments import parse_json
from playground.errors import bad_request
from playground.model import Json

MAX_NUMBERS: Final = 100


def integer(value: object, name: str) -> int:
    """Read a whole number from a form or JSON.

    Raises:
        ApiError: it is none.
    """
    try:
        return int(str(value))
    except ValueError as error:
        raise bad_request(f"{name} must be a number") from error


@dataclass(frozen=True)
class Given:
    """The object behind one field; `name` is that field's, for what is said when it is wrong."""

    name: str
    fields: Json

    @classmethod
    def of(cls, fields: Json, name: str) -> "Given":
        """Take an object, or the JSON of one where it came in a form.

        Raises:
            ApiError: it is no object.
        """
        value: Any = fields[name]
        if isinstance(value, str):
            try:
                value = parse_json(value)
            except ValueError as error:
                raise bad_request(f"{name} must be a JSON object") from error
        if not isinstance(value, dict):
            raise bad_request(f"{name} must be a JSON object")
        return cls(name, value)

    def number(self, field: str, default: int | None = None) -> int:
        """Read a whole number.

        Raises:
            ApiError: it is missing without a default, or none.
        """
        if field not in self.fields:
            if default is None:
                raise bad_request(f"{self.name} needs a {field}")
            return default
        return integer(self.fields[field], field)

    def numbers(self, field: str) -> list[int]:
        """Read up to 100 whole numbers.

        Raises:
            ApiError: it is no such list.
        """
        values = self.fields.get(field)
        if not isinstance(values, list) or not 1 <= len(values) <= MAX_NUMBERS:
            raise bad_request(f"{self.name} needs {field}: a list of 1 to {MAX_NUMBERS} numbers")
        return [integer(value, field) for value in values]

    def text(self, field: str, default: str | None = None) -> str:
        """Read a string.

        Raises:
            ApiError: it is missing without a default, or none.
        """
        value = self.fields.get(field, default)
        if not isinstance(value, str):
            raise bad_request(f"{self.name} needs a {field}")
        return value
