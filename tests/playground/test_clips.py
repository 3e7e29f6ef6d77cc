"""Videos, animations and sound: sent as they are, measured, sent again, put in albums."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from playground.server import Playground
from tests.playground.client import ALICE, Api, picture
from tests.playground.films import gif, mp4, webm


@pytest.mark.parametrize(
    ("content", "name", "mime"),
    [(mp4(), "a.mp4", "video/mp4"), (webm(), "a.webm", "video/webm"), (mp4(), "a", "video/mp4")],
    ids=["mp4", "webm", "no suffix"],
)
async def test_a_video_is_kept_byte_for_byte_and_measured(
    api: Api, content: bytes, name: str, mime: str
) -> None:
    sent = await api.call(
        "sendVideo", {"video": (name, content, mime)}, chat_id=ALICE, caption="x"
    )
    video = sent["video"]
    assert (video["width"], video["height"], video["duration"]) == (320, 240, 3)
    assert (video["mime_type"], video["file_name"], sent["caption"]) == (mime, name, "x")
    assert await api.download(video["file_id"]) == content


async def test_what_the_call_says_of_a_video_wins(api: Api) -> None:
    said = {"width": 100, "height": 50, "duration": 9}
    sent = await api.call("sendVideo", {"video": ("a.mp4", mp4())}, chat_id=ALICE, **said)
    assert {name: sent["video"][name] for name in said} == said
    refusal = await api.refused(
        "sendVideo", {"video": ("a.mp4", mp4())}, chat_id=ALICE, duration=-1
    )
    assert refusal == "Bad Request: wrong duration specified"


@pytest.mark.parametrize("content", [gif(), mp4()], ids=["gif", "mp4"])
async def test_an_animation_is_kept_as_it_is_and_is_a_document_too(
    api: Api, content: bytes
) -> None:
    name = "a.gif" if content.startswith(b"GIF") else "a.mp4"
    sent = await api.call("sendAnimation", {"animation": (name, content)}, chat_id=ALICE)
    assert sent["animation"] == sent["document"]
    assert sent["animation"]["duration"] in {2, 3}
    assert await api.download(sent["animation"]["file_id"]) == content
    assert ("thumbnail" in sent["animation"]) == (name == "a.gif")


async def test_a_given_thumbnail_is_taken_if_telegram_would_take_it(api: Api) -> None:
    small, large = picture(90, 60, kind="JPEG"), picture(400, 300, kind="JPEG")
    for thumbnail, taken in ((small, True), (large, False), (picture(90, 60), False)):
        files = {"video": ("a.mp4", mp4()), "thumbnail": ("t.jpg", thumbnail)}
        sent = await api.call("sendVideo", files, chat_id=ALICE)
        assert ("thumbnail" in sent["video"]) == taken
        if taken:
            shown = sent["video"]["thumbnail"]
            assert (shown["width"], shown["height"]) == (90, 60)
            assert await api.download(shown["file_id"]) == thumbnail


async def test_a_thumbnail_may_be_attached_by_name(api: Api) -> None:
    files = {"v": ("a.mp4", mp4()), "t": ("t.jpg", picture(90, 60, kind="JPEG"))}
    sent = await api.call(
        "sendVideo", files, chat_id=ALICE, video="attach://v", thumbnail="attach://t"
    )
    assert sent["video"]["thumbnail"]["width"] == 90


@pytest.mark.parametrize(
    ("method", "kind", "content"),
    [
        ("sendVideo", "video", mp4()),
        ("sendAnimation", "animation", gif()),
        ("sendAudio", "audio", b"ID3sound"),
        ("sendVoice", "voice", b"OggSsound"),
    ],
)
async def test_a_clip_is_sent_again_by_its_id_as_what_it_is(
    api: Api, method: str, kind: str, content: bytes
) -> None:
    sent = await api.call(method, {kind: ("a.bin", content)}, chat_id=ALICE)
    again = await api.call(method, chat_id=ALICE, **{kind: sent[kind]["file_id"]})
    assert again[kind] == sent[kind]
    refusal = await api.refused("sendPhoto", chat_id=ALICE, photo=sent[kind]["file_id"])
    assert refusal == f"Bad Request: can't use file of type {kind.title()} as Photo"


async def test_sound_tells_who_plays_what(api: Api) -> None:
    fields = {"title": "Scale", "performer": "Somebody", "duration": 61}
    sent = await api.call("sendAudio", {"audio": ("a.mp3", b"ID3")}, chat_id=ALICE, **fields)
    assert {name: sent["audio"][name] for name in fields} == fields


@pytest.mark.parametrize("method", ["sendVideo", "sendAnimation", "sendAudio", "sendVoice"])
async def test_a_clip_that_is_missing_is_named(api: Api, method: str) -> None:
    kind = method.removeprefix("send").lower()
    refusal = await api.refused(method, chat_id=ALICE)
    assert refusal == f"Bad Request: there is no {kind} in the request"


async def test_a_video_has_a_caption_of_1024_characters_at_most(api: Api) -> None:
    files = {"video": ("a.mp4", mp4())}
    assert await api.call("sendVideo", files, chat_id=ALICE, caption="x" * 1024)
    refusal = await api.refused("sendVideo", files, chat_id=ALICE, caption="x" * 1025)
    assert refusal == "Bad Request: message caption is too long"


async def test_photos_and_videos_share_an_album_and_an_animation_does_not(api: Api) -> None:
    files = {"a": ("a.mp4", mp4()), "b": ("b.png", picture()), "c": ("c.gif", gif())}
    media = [{"type": "video", "media": "attach://a"}, {"type": "photo", "media": "attach://b"}]
    sent = await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
    assert sent[0]["video"]["duration"] == 3
    assert "photo" in sent[1]


async def edited(api: Api, message: Any, kind: str, files: dict[str, Any]) -> Any:
    return await api.call(
        "editMessageMedia",
        files,
        chat_id=ALICE,
        message_id=message["message_id"],
        media={"type": kind, "media": "attach://f", "caption": kind},
    )


async def test_a_message_turns_into_any_kind_of_file(api: Api) -> None:
    message = await api.call("sendMessage", chat_id=ALICE, text="wait")
    files = {"video": mp4(), "animation": gif(), "document": b"text", "photo": picture()}
    for kind, content in files.items():
        shown = await edited(api, message, kind, {"f": ("a", content)})
        assert shown[kind]
        assert shown["caption"] == kind
        if kind != "photo":
            assert await api.download(shown[kind]["file_id"]) == content


async def test_a_person_sends_each_file_as_what_it_is(api: Api) -> None:
    kinds = {
        "animation": gif(),
        "video": mp4(),
        "photo": picture(),
        "audio": b"ID3tag",
        "document": b"plain text",
    }
    for kind, content in kinds.items():
        await api.act({"f": ("a.bin", content)}, **{"as": "media"})
        message = (await api.updates())[0]["message"]
        assert kind in message
        if kind != "photo":
            assert await api.download(message[kind]["file_id"]) == content


async def test_only_what_goes_together_makes_a_persons_album(api: Api) -> None:
    files = {"a": ("a.mp4", mp4()), "b": ("b.png", picture())}
    await api.act(files, **{"as": "media"})
    groups = {update["message"]["media_group_id"] for update in await api.updates()}
    assert len(groups) == 1
    files["c"] = ("c.txt", b"text")
    await api.act(files, **{"as": "media"})
    assert not any("media_group_id" in update["message"] for update in await api.updates())


async def test_the_page_plays_what_was_sent(api: Api) -> None:
    shown = (await api.act({"f": ("film", mp4())}, **{"as": "media"}))["messages"][0]["media"]
    assert (shown["kind"], shown["duration"], shown["width"]) == ("video", 3, 320)
    part = {"Range": "bytes=4-7"}
    response = await api.http.get(f"{api.base}{shown['url']}", headers=part)
    assert (response.status_code, response.content) == (206, b"ftyp")
    assert response.headers["Content-Type"] == "video/mp4"
    assert "Content-Disposition" not in response.headers


FILES = {
    "a.png": (picture(200, 100), "image/png"),
    "large.png": (picture() + bytes(5 * 1024 * 1024), "image/png"),
    "a.mp4": (mp4(), "video/mp4"),
    "a.pdf": (b"%PDF", "application/pdf"),
    "a.txt": (b"text", "text/plain"),
}


@pytest.fixture
async def own_files() -> AsyncIterator[str]:
    """A web server of the bot's own, beside the playground; returns its address."""

    async def serve(request: web.Request) -> web.Response:
        body, mime = FILES[request.match_info["name"]]
        return web.Response(body=body, content_type=mime)

    app = web.Application()
    app.router.add_get("/{name}", serve)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/"))
    await server.close()


@pytest.mark.parametrize(
    ("method", "kind", "name"),
    [("sendPhoto", "photo", "a.png"), ("sendVideo", "video", "a.mp4")],
)
async def test_a_file_is_taken_by_its_address_on_this_machine(
    api: Api, own_files: str, method: str, kind: str, name: str
) -> None:
    fields: dict[str, Any] = {kind: own_files + name}
    assert (await api.call(method, chat_id=ALICE, **fields))[kind]


@pytest.mark.parametrize(
    ("method", "name", "sentence"),
    [
        ("sendPhoto", "large.png", "failed to get HTTP URL content"),
        ("sendPhoto", "none.png", "failed to get HTTP URL content"),
        ("sendDocument", "a.txt", "wrong type of the web page content"),
    ],
)
async def test_an_address_that_gives_nothing_fit_is_refused(
    api: Api, own_files: str, method: str, name: str, sentence: str
) -> None:
    fields: dict[str, Any] = {method.removeprefix("send").lower(): own_files + name}
    refusal = await api.refused(method, chat_id=ALICE, **fields)
    assert refusal == f"Bad Request: {sentence}"
    assert await api.call("sendDocument", chat_id=ALICE, document=own_files + "a.pdf")


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1/a.png", "ftp://127.0.0.1/a", "http://[", "file:///etc/passwd"]
)
async def test_nothing_is_fetched_from_elsewhere(api: Api, address: str) -> None:
    refusal = await api.refused("sendPhoto", chat_id=ALICE, photo=address)
    assert refusal == "Bad Request: wrong file identifier/HTTP URL specified"


async def test_a_playground_for_strangers_fetches_nothing(
    api: Api, playground: Playground, own_files: str
) -> None:
    playground.world.settings = replace(playground.world.settings, fetches=False)
    refusal = await api.refused("sendPhoto", chat_id=ALICE, photo=f"{own_files}a.png")
    assert refusal == "Bad Request: wrong file identifier/HTTP URL specified"
