"""The base class of all sections of the settings, and the mapping from settings to environment variables."""

import re
from typing import Any

from pydantic import AliasChoices, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict


class Section(BaseSettings):
    """Settings that share a prefix: `bucket` in a section with the prefix PIGWAV_S3_ is set by PIGWAV_S3_BUCKET.

    An empty or blank variable counts as not set; blanks around a value are removed. A setting with an alias is set by
    the names in the alias.
    """

    model_config = SettingsConfigDict(
        env_prefix="PIGWAV_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        loc_by_alias=False,
        allow_inf_nan=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        """Refuses what no setting may contain and what an editor does not show. The message leaves out the value,
        which may be a secret.
        """
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"""(["']).*\1""", value):
            raise ValueError("the value is in quotation marks; remove them (docker's --env-file keeps them)")
        if not value.isprintable():
            raise ValueError("the value contains a line end or an invisible character; write it again")
        return value

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
    """The environment, without blanks around values: a file of variables with Windows line ends leaves a CR.

    A nested section has no variable of its own: pydantic would read PIGWAV_STORE as JSON.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        stripped = ((name, (value or "").strip()) for name, value in self.env_vars.items())
        self.env_vars = {name: value for name, value in stripped if value}

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
