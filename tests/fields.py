"""A field of an item as a rule fills it from an article."""

from ctiforge.serving.fields import RULES
from ctiforge.serving.placing import ArticlePlaces


def rule(name: str, type_: str, value: str, text: str) -> object:
    return RULES[name](ArticlePlaces(text).place(type_, value))
