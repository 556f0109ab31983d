"""Articles for the labeling page, and what models found in them."""

from ctiforge.data.identity import content_hash, fold
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.observable import Observable

TEXT = """The intruders moved fast. \U0001f600 From winword.exe they got to a shell, powershell.exe, within minutes.

They ran `net group "Domain Admins" /domain` and then whoami /all on every host.
Persistence: HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater was set.
A service named WinHelpSvc was installed, and c2.evil[.]example answered.
"""
NET = 'net group "Domain Admins" /domain'


def article(text: str = TEXT, id_: str = "7", title: str = "A fast intrusion", **fields: object) -> ArticleRecord:
    """An article that nobody labeled."""
    return ArticleRecord(id=id_, title=title, content=text, content_hash=content_hash(fold(text)), **fields)


def found(type_: str, value: str, platform: str | None = None) -> Observable:
    """One observable."""
    return Observable(type=type_, value=value, platform=platform)


def label(of: ArticleRecord, annotator: str = "Ada", *, looked: tuple[str, ...] = (), **fields: object) -> HumanLabel:
    """What a person said: `observables` and `os_label` of the article, the other fields of the label."""
    inside = {name: fields.pop(name) for name in ("observables", "os_label") if name in fields}
    update = {"annotator": annotator, "labelled_by": "human", "labelled_types": looked, **inside}
    return HumanLabel(article=of.model_copy(update=update), **fields)
