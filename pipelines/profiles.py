"""Which weights stand behind the names. pydantic, PyYAML and the standard library only."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

Quality = Literal["flash", "fast", "base", "refined"]
QUALITIES: Final[tuple[Quality, ...]] = get_args(Quality)

AspectRatio = Literal["1:1", "16:9", "9:16", "3:2", "2:3"]
ASPECT_RATIOS: Final[tuple[AspectRatio, ...]] = get_args(AspectRatio)


class Size(BaseModel):
    """A picture's size in pixels; both sides are multiples of 64 (8x MoVQ, 8x UNet)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width_px: int = Field(ge=64, le=4096, multiple_of=64)
    height_px: int = Field(ge=64, le=4096, multiple_of=64)


class QualitySettings(BaseModel):
    """How one quality is sampled with this profile's weights; Flash has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(ge=1, le=1000)
    guidance: float = Field(
        default=3.0, ge=0, le=30, description="beyond the conditional prediction; 0 is none"
    )
    threshold: float | None = Field(
        default=0.99,
        gt=0,
        le=1,
        description="share of a latent that dynamic thresholding leaves unclipped; none is off",
    )
    cache_interval: int = Field(
        default=1, ge=1, le=10, description="steps per whole call of the UNet; 1 is every step"
    )


class ImagePromptSettings(QualitySettings):
    """How pictures given as prompts are sampled: with the base model and its image adapter."""


class ShapeSettings(QualitySettings):
    """How a picture's shapes are kept: with the base model and a ControlNet on edges.

    Nobody has stated which edges the published networks were trained on, so their range and
    polarity are settings; the defaults are what ControlNets are commonly given.
    """

    cache_interval: Literal[1] = 1
    """The whole UNet is asked at every step: what keeps the shapes joins its skip states."""

    edges: Literal["hed", "gradient"] = Field(
        default="hed", description="found by a network, or by a filter that needs no weights"
    )
    hint_range: Literal["0..1", "-1..1"] = Field(
        default="0..1", description="the numbers of no edge and of the strongest"
    )
    polarity: Literal["white_edges", "black_edges"] = "white_edges"
    negatives_keep_shapes: bool = Field(
        default=True,
        description="whether what guidance steers away from keeps them; if not, it pushes to them",
    )
    start: float = Field(default=0.0, ge=0, lt=1, description="share of the steps without, first")
    end: float = Field(default=1.0, gt=0, le=1, description="share of the steps after which none")

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.start >= self.end:
            msg = "start must come before end"
            raise ValueError(msg)
        return self


HubItem = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
"""What is made of a published file; the names are those of the weights folder."""

AddonName = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]


class HubFile(BaseModel):
    """One published file, or the folder of several that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, description="in the repository")
    licence: str
    bytes: PositiveInt | None = Field(
        default=None, description="exact; a file of another size is not the one meant"
    )
    about_bytes: PositiveInt | None = Field(
        default=None, description="where the exact size is not known; nothing is refused by it"
    )

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.bytes is None) == (self.about_bytes is None):
            msg = "give either bytes or about_bytes"
            raise ValueError(msg)
        return self


class UNetShape(BaseModel):
    """What a UNet checkpoint does not say of itself; Kandinsky 3's own figures by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block_out_channels: tuple[PositiveInt, ...] = (384, 768, 1536, 3072)
    layers_per_block: PositiveInt = 3
    time_embedding_dim: PositiveInt = 1536
    cross_attention_dim: PositiveInt = 4096
    attention_head_dim: PositiveInt = 64
    groups: PositiveInt = 32


class MoVQShape(BaseModel):
    """Likewise of a MoVQ checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block_out_channels: tuple[PositiveInt, ...] = (256, 512, 512, 1024)
    layers_per_block: PositiveInt = 2
    norm_num_groups: PositiveInt = 32


class Repository(BaseModel):
    """A repository of the hub, and which of its files are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(default="main", description="a branch, a tag or a commit")
    files: dict[HubItem, HubFile] = Field(min_length=1)
    serves: Literal["image_prompts", "shapes"] | None = Field(
        default=None, description="the profile's section that makes use of it"
    )


class Hub(Repository):
    """Where a profile's weights are published, and what they are."""

    unet: UNetShape = UNetShape()
    movq: MoVQShape = MoVQShape()


class Profile(BaseModel):
    """One set of weights and what can be asked of it. Mirrors a profile in ``config.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", description="the key it stands under; set by who reads the file")
    weights_dir: Path
    licence: str
    hub: Hub | None = Field(default=None, description="whence the weights can be fetched")
    addons: dict[AddonName, Repository] = Field(
        default={}, description="whence what is added to them can be fetched, one by one"
    )
    sizes: dict[AspectRatio, Size] = Field(min_length=1)
    qualities: dict[Quality, QualitySettings | None] = Field(min_length=1)
    """What can be asked; of ``flash``, and of it alone, there are no settings."""

    default_quality: Quality
    image_prompts: ImagePromptSettings | None = Field(
        default=None, description="without it no pictures are taken as prompts"
    )
    shapes: ShapeSettings | None = Field(
        default=None, description="without it there is no style transfer"
    )
    batch_pictures: PositiveInt = Field(description="most pictures in one batch")
    photo_scale: PositiveInt = Field(default=1, description="enlargement of the chat's JPEG")
    device: str = "auto"
    precision: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        default="float32", description="auto is bfloat16 on a GPU and float32 on a CPU"
    )
    threads: int = Field(default=0, ge=0, description="CPU threads; 0 leaves it to torch")
    memory_plan: Literal[
        "auto",
        "resident",
        "offload_encoder",
        "encoder_8bit",
        "encoder_4bit",
        "sequential",
        "encoder_on_cpu",
    ] = Field(default="auto", description="see pipelines/memory.py")
    memory_bytes: PositiveInt | None = Field(
        default=None,
        description="most of the device's memory that may be taken; none is all that is free",
    )
    hang_timeout_s: float = Field(
        default=600, gt=0, description="silence over a batch after which a worker is replaced"
    )
    preview_interval_s: float = Field(default=1.0, ge=0)
    knows: Literal["anything", "shapes"] = "anything"
    prompt_languages: tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...] = Field(
        default=("en",), min_length=1, description="what the text encoder reads, ISO 639 codes"
    )

    @field_validator("qualities", mode="before")
    @classmethod
    def _flash_has_no_settings(cls, qualities: object) -> object:
        """Refuse what would be ignored: Flash's steps belong to its weights, unguided."""
        if not isinstance(qualities, dict) or "flash" not in qualities:
            return qualities
        if qualities["flash"]:
            msg = "flash takes no settings, write flash: {}"
            raise ValueError(msg)
        return {**qualities, "flash": None}

    @model_validator(mode="after")
    def _qualities_agree(self) -> Self:
        for quality, settings in self.qualities.items():
            if settings is None and quality != "flash":
                msg = f"qualities.{quality} needs at least steps"
                raise ValueError(msg)
        if self.default_quality not in self.qualities:
            msg = f"default_quality is none of the qualities: {', '.join(self.qualities)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_what_is_added_to(self) -> Self:
        if self.addons and self.hub is None:
            msg = "addons need a hub section: they are added to its weights"
            raise ValueError(msg)
        return self

    def placed(self, name: str, folder: Path) -> Self:
        """Return the profile as it stands under ``name`` in a file of ``folder``."""
        weights_dir = (folder / self.weights_dir).resolve()
        return self.model_copy(update={"name": name, "weights_dir": weights_dir})

    def adding(self, addon: str) -> Self:
        """Return the profile as one whose hub publishes the addon, for models of its own shapes.

        Raises:
            BadProfile: it has no such addon.
        """
        if self.hub is None or addon not in self.addons:
            known = ", ".join(self.addons) or "none"
            msg = f"the profile {self.name} has no addon {addon!r} (there are: {known})"
            raise BadProfile(msg)
        published = self.addons[addon]
        taken = {name: getattr(published, name) for name in Repository.model_fields}
        return self.model_copy(update={"hub": self.hub.model_copy(update=taken)})

    @property
    def fetch_command(self) -> str | None:
        """What an operator types to get the weights; none where nothing is published."""
        return f"python -m pipelines fetch {self.name}".rstrip() if self.hub else None

    def fetch_command_for(self, component: str) -> str | None:
        """Say what an operator types to get one file or folder of the weights folder."""
        item = component.partition(".")[0]
        addon = next((name for name, added in self.addons.items() if item in added.files), None)
        return f"{self.fetch_command}-{addon}" if addon else self.fetch_command


class BadProfile(Exception):
    """The configuration has no such profile, or one that cannot be. One line for people."""


def load_profile(config_path: Path, name: str | None = None) -> Profile:
    """Read one profile of a ``config.yaml``.

    Args:
        config_path: the file; a relative ``weights_dir`` in it starts from the file's folder.
        name: which profile; the one named by the file's ``profile`` key if none is given.

    Raises:
        BadProfile: the file cannot be read, or has no such profile, or the profile is malformed.
    """
    config = _read(config_path)
    chosen = name or config.get("profile")
    profiles = config.get("profiles")
    if not isinstance(profiles, dict) or chosen not in profiles:
        known = ", ".join(map(str, profiles)) if isinstance(profiles, dict) else "none"
        msg = f"{config_path}: there is no profile {chosen!r} (there are: {known})"
        raise BadProfile(msg)
    try:
        profile = Profile.model_validate(profiles[chosen])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("profiles", chosen, *first["loc"])))
        msg = f"{config_path}: {where}: {first['msg'].removeprefix('Value error, ')}"
        raise BadProfile(msg) from error
    return profile.placed(str(chosen), config_path.parent)


def load_published(config_path: Path, name: str | None = None) -> Profile:
    """Read the profile whose hub publishes what is named: a profile, or PROFILE-ADDON.

    Raises:
        BadProfile: as :func:`load_profile`, or the profile has no such addon.
    """
    profiles = _read(config_path).get("profiles")
    if name and isinstance(profiles, dict) and name not in profiles:
        for known in profiles:
            if name.startswith(f"{known}-"):
                profile = load_profile(config_path, known)
                return profile.adding(name.removeprefix(f"{known}-"))
    return load_profile(config_path, name)


def _read(config_path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{config_path} cannot be read: {error}"
        raise BadProfile(msg) from error
    except yaml.YAMLError as error:
        msg = f"{config_path} is not YAML: {' '.join(str(error).split())}"
        raise BadProfile(msg) from error
    if not isinstance(config, dict):
        msg = f"{config_path} holds no keys"
        raise BadProfile(msg)
    return config
