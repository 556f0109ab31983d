"""What a line is: its stages, settings, gate and sweep, all in one object; nothing of what it names is imported.

An argument's `{place}` is filled with a setting, or with the artifact of an earlier stage; an
argument whose setting has no value is left out, one whose setting is true is a bare flag, and one
whose setting is a list is given once for each of its values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MARGIN = 0.05
"""A difference of a share that matters: what a comparison must be able to show, and what a gate lets pass at most."""


@dataclass(frozen=True)
class LineStage:
    """One stage of a line."""

    name: str
    """Unique in its line; what people see."""
    program: str
    """The module of `ctiforge.programs`."""
    arguments: tuple[str, ...] = ()
    """The program's arguments, with `{place}` for a setting or an earlier stage's artifact."""
    needs: str | None = None
    """The setting without which the line has no such stage; None: it always has."""
    reads_database: bool = False
    """Whether its program is given DATABASE_URL."""
    live: bool = False
    """Always runs: what it will find, in a database or the registry of models, nobody knows before."""
    of_champion: bool = False
    """Works on the model in use when its turn comes, its `{champion}`: planned then, left out where none is in use."""
    collect: str | None = None
    """The file of its artifact that is copied to the outputs folder for people."""
    report: str | None = None
    """The text of its artifact that is printed when the run is done."""
    estimates: bool = False
    """Whether its program tells with --estimate what memory it takes, before anything is there."""
    batch: tuple[int, int | None] | None = None
    """The program's own --batch-size and --gradient-accumulation-steps, where a smaller one saves memory."""
    role: str | None = None
    """What a report calls the model that the stage evaluates."""


@dataclass(frozen=True)
class LineSetting:
    """A setting of one line: `name` in `ctiforge.toml`, `CTIFORGE_<NAME>` in the environment."""

    name: str
    default: str | None
    text: str
    """What it is, for the reference."""
    flag: str | None = None
    """The flag of `ctiforge run` that sets it."""
    chart: str | None = None
    """The chart's value that sets it."""
    pattern: str | None = None
    """A regular expression for the whole value; None: any will do."""
    is_file: bool = False
    """Names a file of this machine, of which a cluster gets a copy."""


@dataclass(frozen=True)
class GateRules:
    """What the gate asks of a line's model; margins are losses that it lets pass, in the figure's own unit."""

    primary: str
    """The figure that must get better."""
    margin: float
    """Of the primary figure, for a model that is accepted as equivalent."""
    guardrails: Mapping[str, float]
    """Figure that must not be shown to get worse by more than this: 0 unless a person widens it."""


@dataclass(frozen=True)
class SweptTraining:
    """What a sweep of a line trains."""

    stage: str
    """The stage that is run for every point; the stages before it are its data."""
    ranges: Mapping[str, tuple[str, ...]]
    """What is tried of which flags where nobody says: the guide's ranges."""


@dataclass(frozen=True)
class TrainedOn:
    """Which stage leaves the articles that a line's models were trained on."""

    stage: str
    """The stage's name."""
    files: tuple[str, ...]
    """The files of its artifact that hold the articles."""
    since: int = 1
    """The stage's version from which on it leaves them."""
    before: "TrainedOn | None" = None
    """Where the articles, or what is closest to them, lie for artifacts of older versions."""


@dataclass(frozen=True)
class BaseSettings:
    """What a run sets of itself while its base is a small one that this project knows; what people set goes first."""

    flags: Mapping[str, Mapping[str, str | int | float | bool]]
    """Flags by program or stage."""
    max_length: int | None = None
    """What `max_length` is where nobody set it."""
    stored_as: str | None = None
    """What it is called in the store, where `ctiforge model add` puts it; None: it lies in this package."""


@dataclass(frozen=True)
class Line:
    """One line: everything that the launcher, the gate and the report need to know of it."""

    name: str
    """What people call it: `extract`."""
    stages: tuple[LineStage, ...]
    """Its stages, in the order that they run in."""
    settings: tuple[LineSetting, ...]
    """The settings that it has besides those of all lines."""
    model: str
    """The setting that names the base model."""
    test_set: str
    """The setting that names the test set."""
    in_use: str
    """The setting that names the model in use; where it is not set, the registry's champion is."""
    evaluation: str
    """The program that evaluates its models."""
    rules: GateRules
    """What the gate asks of its models."""
    swept: SweptTraining
    """What a sweep trains, and over which values."""
    source: str
    """The stage where its articles come in."""
    trained_on: TrainedOn
    """Where the articles lie that its models were trained on."""
    reads_files: bool = False
    """Whether it can do without a database, with files alone."""
    demo_texts: str = "templates"
    """What the articles of the demo's database are, in a few words, with whose they are."""
    bases: Mapping[str, BaseSettings] = field(default_factory=dict)
    """By what `--model` says: `demo`, whatever articles it learns from, and others, which learn from the demo's."""

    @property
    def eval_in_use(self) -> str:
        """Name the stage that evaluates the model in use."""
        return next(stage.name for stage in self.stages if stage.needs == self.in_use)

    @property
    def roles(self) -> dict[str, str]:
        """Map each stage that evaluates a model to what reports call that model."""
        return {stage.name: stage.role for stage in self.stages if stage.role}

    def stage(self, name: str) -> LineStage:
        """Look up a stage by its name.

        Args:
            name: The stage's name in this line.

        Returns:
            The stage.

        Raises:
            StopIteration: The line has no such stage.
        """
        return next(stage for stage in self.stages if stage.name == name)
