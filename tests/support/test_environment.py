"""Settings from the environment: refused by the variable's name, without its value."""

import pytest
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jaxshop.support.environment import named_variables
from jaxshop.support.errors import ShopError


class Settings(BaseSettings):
    """Two settings with limits."""

    model_config = SettingsConfigDict(env_prefix="TRIAL_")
    port: int = Field(1, ge=0)
    word: str = "a"

    @field_validator("word")
    @classmethod
    def _short(cls, word: str) -> str:
        if len(word) > 3:
            raise ValueError("must have at most 3 letters")
        return word


def test_every_wrong_variable_is_named_and_no_value_is(monkeypatch):
    """Shows one fault for each variable, in the words of whoever refused it, and no secret."""
    monkeypatch.setenv("TRIAL_PORT", "-5")
    monkeypatch.setenv("TRIAL_WORD", "s3cret")
    with pytest.raises(ShopError) as refused, named_variables("TRIAL_"):
        Settings()
    assert refused.value.faults == [
        "TRIAL_PORT: Input should be greater than or equal to 0",
        "TRIAL_WORD: must have at most 3 letters",
    ]
