"""What the import contracts in ``pyproject.toml`` cannot see: what is loaded at run time."""

import subprocess
import sys

BUILD = """
import asyncio, sys
import bot.__main__
from tests.architecture.building import build_once
asyncio.run(build_once())
heavy = {"torch", "numpy", "cv2", "diffusers", "transformers", "PIL", "py3langid", "httpx2"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_bot_is_built_without_tensors() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUILD], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_playground_is_imported_without_tensors_and_without_the_bot() -> None:
    code = (
        "import playground.__main__, sys;"
        "print(sorted({'torch', 'numpy', 'bot', 'pipelines', 'storage'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


QUICKLY = """
import quick_aiogram
from aiogram.types import Message, Update
from pydantic import BaseModel
assert not Message.__pydantic_complete__, "aiogram was built all the same"
assert BaseModel.model_rebuild.__func__.__module__ == "pydantic.main", "pydantic was left patched"
chat, person = {"id": 1, "type": "private"}, {"id": 2, "is_bot": False, "first_name": "Vera"}
photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
message = {"message_id": 3, "date": 0, "chat": chat, "from": person, "photo": photo}
message["reply_to_message"] = dict(message)
update = Update.model_validate({"update_id": 4, "message": message})
print(update.message.reply_to_message.photo[0].file_id, update.event_type)
"""


EVERYTHING = """
import quick_aiogram
from aiogram import methods, types
models = [getattr(module, name) for module in (methods, types) for name in module.__all__]
models = [model for model in models if hasattr(model, "model_rebuild")]
broken = [model.__name__ for model in models if model.model_rebuild(raise_errors=False) is False]
print(len(models), broken)
"""


def test_every_method_and_type_of_aiogram_can_still_be_built() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING], capture_output=True, text=True, check=True, timeout=120
    )
    count, _, broken = done.stdout.strip().partition(" ")
    assert int(count) > 500
    assert broken == "[]"


def test_aiogram_builds_its_types_only_when_they_are_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUICKLY], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["f", "message"]
