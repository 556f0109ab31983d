"""Where values stand in the articles of a test set."""

from collections.abc import Mapping

from ctiforge.observables.locate import Locator
from ctiforge.reporting.passages import passage
from ctiforge.reporting.view import ShownPassage


class Places:
    """Finds values in the articles; each article is indexed once."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._locators: dict[str, Locator] = {}

    def passage(self, article: str, type_: str, value: str) -> ShownPassage | None:
        """Show where the value stands first; None where it does not, or the text is not there."""
        if article not in self._texts:
            return None
        if article not in self._locators:
            self._locators[article] = Locator(self._texts[article])
        locator = self._locators[article]
        found = locator.locate(type_, value)
        return passage(locator.text, [(span.start, span.end) for span in found[0].spans]) if found else None

    def literal(self, article: str, words: str) -> ShownPassage | None:
        """Show where these very words stand first."""
        text = self._texts.get(article, "")
        at = text.find(words)
        return passage(text, [(at, at + len(words))], "what the article has") if at >= 0 and words else None
