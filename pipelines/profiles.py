"""Which weights stand behind the names. pydantic, PyYAML and the standard library only."""

from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

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

Quality = Literal["flash", "base", "refined"]
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


class Profile(BaseModel):
    """One set of weights and what can be asked of it. Mirrors a profile in ``config.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights_dir: Path
    licence: str
    sizes: dict[AspectRatio, Size] = Field(min_length=1)
    qualities: dict[Quality, QualitySettings | None] = Field(min_length=1)
    """What can be asked; of ``flash``, and of it alone, there are no settings."""

    default_quality: Quality
    batch_pictures: PositiveInt = Field(description="most pictures in one batch")
    photo_scale: PositiveInt = Field(default=1, description="enlargement of the chat's JPEG")
    device: str = "auto"
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    threads: int = Field(default=0, ge=0, description="CPU threads; 0 leaves it to torch")
    memory_bytes: PositiveInt | None = Field(
        default=None, description="most the loaded weights may take; none is all they need"
    )
    preview_interval_s: float = Field(default=1.0, ge=0)
    knows: Literal["anything", "shapes"] = "anything"

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
    return profile.model_copy(
        update={"weights_dir": (config_path.parent / profile.weights_dir).resolve()}
    )


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
