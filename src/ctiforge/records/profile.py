"""A profile, a TOML that people write: how an application asks for observables, and the answer that it expects."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ctiforge.records.base import Record
from ctiforge.records.observable import TYPES


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _known(type_: str) -> str:
    if type_ not in TYPES:
        raise ValueError(f"{type_!r} is no type of observable: choose of {', '.join(TYPES)}")
    return type_


def _once(types: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((each for each in types if types.count(each) > 1), None)
    if twice:
        raise ValueError(f"{twice!r} stands there twice: name it once")
    return types


def _not_blank(words: str) -> str:
    if not words.strip():
        raise ValueError("it is blank, and would stand in every request: write words")
    return words


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
"""Several texts; one may be written without its brackets."""
Wording = Annotated[str, AfterValidator(_not_blank)]
Wordings = Annotated[tuple[Wording, ...], BeforeValidator(_listed)]
ObservableType = Annotated[str, BeforeValidator(_known)]


class ArticleMarks(Record):
    r"""Where the article stands in a request; of a line break in a mark, `\n`, the request may write `\r\n`."""

    after: Wording
    """What stands before the article: it begins after the first of these."""
    before: Wordings = ()
    """What stands behind it, one after the other: the last places of these; none: it goes on to the message's end."""
    instructions: Wording | None = None
    """What the instructions behind the JSON example begin with: keys there are other agents'; None: there are none."""
    title: Wording | None = None
    """What the line of the article's title begins with; None: the request has no such line."""
    url: Wording | None = None
    """What the line of its address begins with; None: the request has no such line."""
    skip_from: Wordings = ()
    """What a part begins with that may stand before the article and is none of it."""
    skip_until: Wording | None = None
    """What that part ends with."""

    @model_validator(mode="after")
    def _skips_whole_parts(self) -> Self:
        if bool(self.skip_from) != bool(self.skip_until):
            raise ValueError("skip_from and skip_until belong together: give both or neither")
        return self


class Recognition(Record):
    """By what of a request, its article left out, an agent is told from the others."""

    example_key: Wording | None = None
    """A key of the JSON example in the request: in double quotes, a colon behind it."""
    system: Wordings = ()
    """Words that all stand in the role and task that the request gives, in any case."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.example_key and not self.system:
            raise ValueError("give example_key, system or both")
        return self


class AnswerShape(Record):
    """The JSON object that the application reads."""

    key: Text
    """The key of the list of items."""
    count: Texts = ()
    """The keys of how many items there are; none: it wants no number."""


class AgentProfile(Record):
    """One agent of the application."""

    types: Annotated[tuple[ObservableType, ...], BeforeValidator(_listed), AfterValidator(_once), Field(min_length=1)]
    """The types of observables that it asks for."""
    recognize: Recognition
    """What tells its requests."""
    answer: AnswerShape
    """What is answered."""
    fields: Annotated[dict[Text, Text], Field(min_length=1)]
    """Key of an item → where its value comes from (see `ctiforge profile check`)."""
    article: ArticleMarks | None = None
    """Where the article stands in its requests; None: as in those of the other agents."""


class Profile(Record):
    """How one application asks, and what it expects."""

    name: Text
    """What the profile is called."""
    article: ArticleMarks | None = None
    """Where the article stands in a request, unless an agent says otherwise."""
    agent: Annotated[dict[Text, AgentProfile], Field(min_length=1)]
    """The application's agents by their names."""

    @model_validator(mode="after")
    def _has_marks(self) -> Self:
        for name, agent in self.agent.items():
            if agent.article is None and self.article is None:
                raise ValueError(f"give a table [article], or [agent.{name}.article]")
        return self

    def types_of(self, agent: str) -> tuple[str, ...]:
        """Say which types of observables an agent asks for.

        Args:
            agent: The agent's name.

        Returns:
            The types.
        """
        return self.agent[agent].types

    def marks_of(self, agent: str) -> ArticleMarks:
        """Say where the article stands in an agent's requests.

        Args:
            agent: The agent's name.

        Returns:
            The agent's own marks, else those of all agents.
        """
        marks = self.agent[agent].article or self.article
        assert marks is not None
        return marks
