import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.kandinsky3 import convert
from pipelines.kandinsky3.published import PARTS
from pipelines.profiles import (
    QUALITIES,
    BadProfile,
    ImagePromptSettings,
    Profile,
    ShapeSettings,
    load_profile,
)
from tests.pipelines.micro import make_profile


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    profile = make_profile(Path("weights/tiny")).model_dump(mode="json")
    path = tmp_path / "config.yaml"
    other = profile | {"weights_dir": "/weights/other"}
    path.write_text(
        yaml.safe_dump({"profile": "tiny", "profiles": {"tiny": profile, "other": other}})
    )
    return path


def test_the_chosen_profile_is_read_and_its_weights_lie_beside_the_file(config_path: Path) -> None:
    profile = load_profile(config_path)
    assert profile == make_profile(config_path.parent / "weights" / "tiny", name="tiny")


def test_a_profile_can_be_asked_for_by_name(config_path: Path) -> None:
    assert load_profile(config_path, "other").weights_dir == Path("/weights/other")


def test_an_unknown_profile_is_answered_with_those_there_are(config_path: Path) -> None:
    with pytest.raises(BadProfile, match="no profile 'huge' \\(there are: other, tiny\\)"):
        load_profile(config_path, "huge")


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("profile: a", "there is no profile 'a'"),
        ("profile: a\nprofiles: {a: {licence: 3}}", "profiles.a.weights_dir: Field required"),
        ("profile: [", "is not YAML"),
        ("", "holds no keys"),
        ("- a", "holds no keys"),
    ],
)
def test_a_broken_file_is_explained_in_one_line(tmp_path: Path, contents: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(contents)
    with pytest.raises(BadProfile) as caught:
        load_profile(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"qualities": {"flash": {"steps": 9, "guidance": 5}}},
            "profiles.tiny.qualities: flash takes no settings",
        ),
        ({"qualities": {"base": None}}, "profiles.tiny: qualities.base needs at least steps"),
        ({"qualities": {"base": {}}}, "profiles.tiny.qualities.base.steps: Field required"),
        ({"qualities": {"best": {}}}, "profiles.tiny.qualities.best"),
        (
            {"qualities": {"flash": {}}, "default_quality": "refined"},
            "profiles.tiny: default_quality is none of the qualities: flash",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_qualities_that_cannot_be_are_explained(
    config_path: Path, changes: dict[str, Any], said: str
) -> None:
    config = yaml.safe_load(config_path.read_text())
    config["profiles"]["tiny"] |= changes
    config_path.write_text(yaml.safe_dump(config))
    with pytest.raises(BadProfile, match=re.escape(said)):
        load_profile(config_path)


def test_flash_is_a_quality_with_nothing_to_set_also_after_a_journey(config_path: Path) -> None:
    profile = load_profile(config_path)
    assert "flash" in profile.qualities
    assert profile.qualities["flash"] is None
    assert Profile.model_validate_json(profile.model_dump_json()) == profile


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadProfile, match="nowhere"):
        load_profile(tmp_path / "nowhere.yaml")


def test_the_program_comes_with_a_working_profile() -> None:
    profile = load_profile(Path(__file__).parents[2] / "config.yaml", "micro")
    assert set(profile.qualities) == set(QUALITIES)
    assert profile.weights_dir.name == "micro"


def test_kandinsky_3_comes_with_all_that_is_needed_to_fetch_it() -> None:
    profile = load_profile(Path(__file__).parents[2] / "config.yaml", "kandinsky3")
    assert profile.hub is not None
    assert set(profile.hub.files) == {item for part in convert.PARTS for item in part.needs}
    assert {file.licence for file in profile.hub.files.values()} == {"Apache-2.0"}
    assert profile.hub.files["unet"].bytes == 12_154_652_436
    assert profile.fetch_command == "python -m pipelines fetch kandinsky3"
    assert (profile.default_quality, set(profile.qualities)) == ("flash", set(QUALITIES))
    for size in profile.sizes.values():
        assert 768**2 <= size.width_px * size.height_px <= 1024**2
        assert max(size.width_px, size.height_px) <= 1024


def test_kandinsky_3_comes_with_what_can_be_added_to_it() -> None:
    profile = load_profile(Path(__file__).parents[2] / "config.yaml", "kandinsky3")
    known = {item for part in PARTS for item in (*part.needs, *part.may_need)}
    for addon in profile.addons:
        hub = profile.adding(addon).hub
        assert hub is not None
        assert hub.files.keys() <= known
        assert hub.serves is not None
    licences = {
        addon: {file.licence for file in added.files.values()}
        for addon, added in profile.addons.items()
    }
    assert licences == {
        "ip": {"Apache-2.0"},
        "controlnet": {"none stated"},
        "controlnet-scribble": {"none stated"},
        "hed": {"other"},
    }


def test_the_sections_that_make_use_of_addons_stand_ready_as_comments(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[2] / "config.yaml").read_text()
    path = tmp_path / "config.yaml"
    path.write_text(re.sub(r"# ((?:image_prompts|shapes): \{)", r"\1", shipped))
    profile = load_profile(path, "kandinsky3")
    assert profile.image_prompts == ImagePromptSettings(steps=100, guidance=7)
    assert profile.shapes == ShapeSettings(steps=100, guidance=7, edges="hed")


def test_addons_to_nothing_are_refused(config_path: Path) -> None:
    movq = {"path": "movq.pt", "licence": "none", "about_bytes": 1}
    config = yaml.safe_load(config_path.read_text())
    added = {"ip": {"repository": "a/b", "files": {"movq": movq}}}
    config["profiles"]["tiny"]["addons"] = added
    config_path.write_text(yaml.safe_dump(config))
    with pytest.raises(BadProfile, match="addons need a hub section"):
        load_profile(config_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repository": "kandinsky"}, "hub.repository: String should match pattern"),
        ({"files": {}}, "hub.files: Dictionary should have at least 1 item"),
        ({"files": {"v/e": {"path": "a", "licence": "b", "bytes": 1}}}, "hub.files.v/e"),
        ({"files": {"movq": {"path": "a", "licence": "b"}}}, "give either bytes or about_bytes"),
        (
            {"files": {"movq": {"path": "a", "licence": "b", "bytes": 1, "about_bytes": 1}}},
            "give either bytes or about_bytes",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_hub_section_that_cannot_be_is_explained(
    config_path: Path, changes: dict[str, Any], said: str
) -> None:
    movq = {"path": "movq.pt", "licence": "none", "about_bytes": 1}
    config = yaml.safe_load(config_path.read_text())
    config["profiles"]["tiny"]["hub"] = {"repository": "a/b", "files": {"movq": movq}} | changes
    config_path.write_text(yaml.safe_dump(config))
    with pytest.raises(BadProfile, match=re.escape(said)):
        load_profile(config_path)
