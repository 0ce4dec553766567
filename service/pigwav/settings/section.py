"""The base class of all sections of the settings, and the mapping from settings to environment variables."""

from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict


class Section(BaseSettings):
    """Settings that share a prefix: `bucket` in a section with the prefix PIGWAV_S3_ is set by PIGWAV_S3_BUCKET.

    An empty variable counts as not set. A setting with an alias is set by the names in the alias.
    """

    model_config = SettingsConfigDict(
        env_prefix="PIGWAV_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        loc_by_alias=False,
        allow_inf_nan=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Variables(settings_cls)


class _Variables(EnvSettingsSource):
    """The environment. A nested section has no variable of its own: pydantic would read PIGWAV_STORE as JSON."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if section_of(field) is not None:
            return None, field_name, False
        return super().get_field_value(field, field_name)


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that the field holds; None if the field is a setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def variables_of(section: type[Section], name: str) -> tuple[str, ...]:
    """The environment variables that set the field `name` of `section`, in order of precedence."""
    alias = section.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(map(str, alias.choices))
    return (f"{section.model_config['env_prefix']}{name}".upper(),)
