import io
from typing import Any

import pytest
from PIL import Image

from playground.files import MAX_UPLOAD_BYTES, safe_file_name
from playground.server import Playground
from tests.playground.client import ALICE, MARIA, Api, picture


async def test_a_photo_is_encoded_anew_in_several_sizes(api: Api) -> None:
    files = {"photo": ("a.png", picture(2000, 1000))}
    sizes = (await api.call("sendPhoto", files, chat_id=ALICE))["photo"]
    assert [(size["width"], size["height"]) for size in sizes] == [
        (90, 45),
        (320, 160),
        (800, 400),
        (1280, 640),
    ]
    content = await api.download(sizes[-1]["file_id"])
    assert len(content) == sizes[-1]["file_size"]
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == "JPEG"
        assert opened.size == (1280, 640)


async def test_a_photo_loses_its_metadata_and_a_document_keeps_it(api: Api) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    buffer = io.BytesIO()
    Image.new("RGB", (50, 40)).save(buffer, "JPEG", exif=exif)
    original = buffer.getvalue()
    photo = await api.call("sendPhoto", {"photo": ("a.jpg", original)}, chat_id=ALICE)
    assert b"where it was" not in await api.download(photo["photo"][-1]["file_id"])
    sent = await api.call("sendDocument", {"document": ("a.jpg", original)}, chat_id=ALICE)
    assert await api.download(sent["document"]["file_id"]) == original
    thumbnail = sent["document"]["thumbnail"]
    assert thumbnail["width"] == 50
    assert (await api.download(thumbnail["file_id"])).startswith(b"\xff\xd8")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1"])
async def test_any_kind_of_picture_can_be_a_photo(api: Api, mode: str) -> None:
    content = picture(mode=mode, color="white" if mode != "LA" else (255, 0))  # type: ignore[arg-type]
    sent = await api.call("sendPhoto", {"photo": ("a.png", content)}, chat_id=ALICE)
    assert sent["photo"][-1]["width"] == 64


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (picture(9990, 11), "PHOTO_INVALID_DIMENSIONS"),
        (picture(5001, 5000, mode="1", color="white"), "PHOTO_INVALID_DIMENSIONS"),
        (picture(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (b"no picture", "IMAGE_PROCESS_FAILED"),
        (picture()[:60], "IMAGE_PROCESS_FAILED"),
        (b"", "file must be non-empty"),
        (
            b"x" * (10 * 1024 * 1024 + 1),
            "file of size 10485761 bytes is too big for a photo; "
            "the maximum size is 10485760 bytes",
        ),
    ],
    ids=["ratio", "sides", "ratio just over", "text", "torn", "empty", "bytes"],
)
async def test_a_wrong_photo_is_refused(api: Api, content: bytes, sentence: str) -> None:
    refusal = await api.refused("sendPhoto", {"photo": ("a.png", content)}, chat_id=ALICE)
    assert refusal == f"Bad Request: {sentence}"


async def test_the_largest_allowed_dimensions_are_taken(api: Api) -> None:
    files = {"photo": ("a.png", picture(2000, 100))}
    assert await api.call("sendPhoto", files, chat_id=ALICE)
    files = {"photo": ("a.png", picture(5000, 5000, mode="1", color="white"))}
    assert await api.call("sendPhoto", files, chat_id=ALICE)


async def test_a_file_over_50_mb_is_cut_off(api: Api) -> None:
    files = {"document": ("a.bin", b"\0" * (MAX_UPLOAD_BYTES + 1))}
    response = await api.post("sendDocument", files, chat_id=ALICE)
    assert response.status_code == 413
    assert response.json()["description"] == "Request Entity Too Large"


async def test_a_file_over_20_mb_is_sent_but_not_downloaded(api: Api) -> None:
    content = b"\1" * (20 * 1024 * 1024)
    exact = await api.call("sendDocument", {"document": ("a.bin", content)}, chat_id=ALICE)
    assert await api.download(exact["document"]["file_id"]) == content
    more = {"document": ("a.bin", content + b"1")}
    sent = await api.call("sendDocument", more, chat_id=ALICE)
    refusal = await api.refused("getFile", file_id=sent["document"]["file_id"])
    assert refusal == "Bad Request: file is too big"


async def test_a_file_is_sent_again_by_its_id(api: Api) -> None:
    sent = await api.call("sendPhoto", {"photo": ("a.png", picture(500, 500))}, chat_id=ALICE)
    small, large = sent["photo"][0], sent["photo"][-1]
    again = await api.call("sendPhoto", chat_id=ALICE, photo=small["file_id"])
    assert again["photo"] == sent["photo"]
    assert large["file_unique_id"] != small["file_unique_id"]
    files = {"document": ("report.txt", b"text")}
    document = (await api.call("sendDocument", files, chat_id=ALICE))["document"]
    again = await api.call("sendDocument", chat_id=ALICE, document=document["file_id"])
    assert again["document"] == document


async def test_photos_with_equal_thumbnails_stay_apart(api: Api) -> None:
    sizes = []
    for side in (500, 1000):
        files = {"photo": ("a.png", picture(side, side, "white"))}
        sizes.append((await api.call("sendPhoto", files, chat_id=ALICE))["photo"])
    again = await api.call("sendPhoto", chat_id=ALICE, photo=sizes[0][0]["file_id"])
    assert again["photo"] == sizes[0]


async def test_the_type_of_a_file_id_cannot_change(api: Api) -> None:
    files = {"document": ("a.png", picture())}
    document = (await api.call("sendDocument", files, chat_id=ALICE))["document"]
    refusal = await api.refused("sendPhoto", chat_id=ALICE, photo=document["file_id"])
    assert refusal == "Bad Request: can't use file of type Document as Photo"


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("", "there is no photo in the request"),
        ("AgACwrong", "wrong remote file identifier specified"),
        ("attach://nothing", "invalid file HTTP URL specified: Unsupported URL protocol"),
        ("https://example.com/a.png", "wrong file identifier/HTTP URL specified"),
    ],
)
async def test_a_wrong_reference_is_refused(api: Api, reference: str, sentence: str) -> None:
    refusal = await api.refused("sendPhoto", chat_id=ALICE, photo=reference)
    assert refusal.startswith(f"Bad Request: {sentence}")


async def test_a_file_id_belongs_to_one_bot(api: Api) -> None:
    files = {"document": ("a.txt", b"text")}
    mine = (await api.call("sendDocument", files, chat_id=ALICE))["document"]
    async with Api(api.base, "777:other") as other:
        refusal = await other.refused("getFile", file_id=mine["file_id"])
        assert "wrong file_id or the file is temporarily unavailable" in refusal
        await other.call("getMe")
        await other.act(chat=f"777-{ALICE}", text="/start")
        theirs = (await other.call("sendDocument", files, chat_id=ALICE))["document"]
    assert theirs["file_unique_id"] == mine["file_unique_id"]
    assert theirs["file_id"] != mine["file_id"]


def album(count: int, kind: str = "photo") -> tuple[dict[str, Any], list[dict[str, str]]]:
    files = {f"f{n}": (f"{n}.png", picture(30 + n, 30)) for n in range(count)}
    return files, [{"type": kind, "media": f"attach://{name}"} for name in files]


@pytest.mark.parametrize("count", [2, 10])
@pytest.mark.parametrize("kind", ["photo", "document", "video", "audio"])
async def test_an_album_has_2_to_10_items(api: Api, count: int, kind: str) -> None:
    files, media = album(count, kind)
    sent = await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
    assert len({message["media_group_id"] for message in sent}) == 1
    assert [message["message_id"] for message in sent] == sorted(
        message["message_id"] for message in sent
    )
    assert all(kind in message for message in sent)


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "there are no messages to send"),
        (1, "media group must include 2-10 items"),
        (11, "too many messages to send as an album"),
    ],
)
async def test_other_counts_are_no_album(api: Api, count: int, sentence: str) -> None:
    files, media = album(count)
    refusal = await api.refused("sendMediaGroup", files, chat_id=ALICE, media=media)
    assert refusal == f"Bad Request: {sentence}"


async def test_documents_and_photos_do_not_mix(api: Api) -> None:
    files, media = album(2)
    media[1]["type"] = "document"
    refusal = await api.refused("sendMediaGroup", files, chat_id=ALICE, media=media)
    assert refusal == "Bad Request: document can't be mixed with other media types"


async def test_a_persons_album_reaches_the_bot_as_messages_of_one_group(api: Api) -> None:
    files = {f"f{n}": (f"{n}.png", picture(30 + n, 30)) for n in range(3)}
    await api.act(files, text="look")
    messages = [update["message"] for update in await api.updates()]
    assert len({message["media_group_id"] for message in messages}) == 1
    assert [message.get("caption") for message in messages] == ["look", None, None]


async def test_a_persons_document_arrives_byte_for_byte(api: Api) -> None:
    content = bytes(range(256)) * 50
    await api.act({"f": ("../../etc/пароль.bin", content)}, **{"as": "document"})
    document = (await api.updates())[0]["message"]["document"]
    assert document["file_name"] == "пароль.bin"
    assert await api.download(document["file_id"]) == content


async def test_a_chat_that_never_began_gets_no_upload(api: Api) -> None:
    files = {"photo": ("a.png", picture())}
    assert "can't initiate" in await api.refused("sendPhoto", files, chat_id=MARIA)


@pytest.mark.parametrize("path", ["../../etc/passwd", "%2e%2e/x", "photos/none.jpg"])
async def test_only_known_paths_are_served(api: Api, path: str) -> None:
    response = await api.http.get(f"{api.base}/file/bot{api.token}/{path}")
    assert response.status_code == 404


async def test_the_oldest_files_go_when_the_store_is_full(
    api: Api, playground: Playground
) -> None:
    files = playground.world.files
    files._max_total_bytes = 3000
    first = await files.store("document", b"a" * 2000, "a.bin")
    second = await files.store("document", b"b" * 2000, "b.bin")
    assert files.path_on_disk(first.file.path) is None
    assert files.path_on_disk(second.file.path) is not None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a/b\\c.txt", "c.txt"),
        ("..", "file"),
        ("a\n\0b", "ab"),
        ("", "file"),
        ("x" * 300, "x" * 128),
    ],
)
def test_file_names_are_made_harmless(given: str, kept: str) -> None:
    assert safe_file_name(given) == kept


async def test_a_forgotten_file_takes_no_other_files_thumbnail_along(
    playground: Playground,
) -> None:
    files = playground.world.files
    content = picture(300, 300)
    first = await files.store("document", content, "a.png")
    second = await files.store("document", content, "b.png")
    assert first.thumbnail
    assert second.thumbnail
    files._forget(first)
    assert files.path_on_disk(first.thumbnail.path) is None
    assert files.path_on_disk(second.thumbnail.path) is not None


async def test_a_bot_downloads_only_what_it_was_told_of(api: Api) -> None:
    sent = await api.call("sendDocument", {"document": ("a.txt", b"mine")}, chat_id=ALICE)
    path = (await api.call("getFile", file_id=sent["document"]["file_id"]))["file_path"]
    async with Api(api.base, "777:other") as other:
        await other.call("getMe")
        for client, status in ((api, 200), (other, 404)):
            address = f"{client.base}/file/bot{client.token}/{path}"
            assert (await client.http.get(address)).status_code == status
