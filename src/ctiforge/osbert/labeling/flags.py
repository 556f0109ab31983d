"""What is odd about an article that is to be labeled."""

import re

INSTRUCTS = "instructs the labeler"

_LABEL = r"[\"'`*]{0,2}(?:windows|linux|mac\s?os|multiple|unknown)\b[\"'`*]{0,2}"
_TEXT = r"(?:article|text|document|report|page|post|content)"
# "classify this as Linux malware" is said of a sample, "classify this as Linux." to a labeler
_ENDS = (
    r"(?=\s{0,3}(?:$|[.,;:!?)\]}\n])"
    r"|\s{1,3}(?:no matter|regardless|please|now|only|and|or|instead|whatever|even|for)\b)"
)
_INSTRUCTIONS = (
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:instructions?|prompts?|rules|guidelines)\b",
    r"(?<!\bwe )(?<!\bto )\b(?:label|classify|tag|categori[sz]e|mark|treat)\s{1,3}(?:this|it|the|that)\b"
    rf"(?:\s{{1,3}}(?:whole|entire|following|{_TEXT})){{0,3}}(?:\s{{1,3}}(?:as|:|=|to be|with)){{0,2}}"
    rf"\s{{1,3}}{_LABEL}{_ENDS}",
    rf"\b(?:label|classify|tag|categori[sz]e|mark)\s{{1,3}}this\s{{1,3}}{_TEXT}\s{{1,3}}(?:as|:)",
    rf"\b(?:answer|respond|reply)\s{{1,3}}(?:only\s{{1,3}})?(?:with|that)\b[^.\n]{{0,40}}?{_LABEL}",
    r"\b(?:correct|right|only|true)\s{1,3}(?:label|answer|class)\s{1,3}(?:is|:|must be)",
    r"\byou\s{1,3}are\s{1,3}(?:now\s{1,3})?an?\s{1,3}(?:ai|assistant|language\s{1,3}model|labell?er|classifier)\b",
    r"<\|(?:im_start|im_end|system|user|assistant)\|>|\[/?INST\]|<</?SYS>>",
)
_INSTRUCTS = re.compile("|".join(_INSTRUCTIONS), re.IGNORECASE | re.MULTILINE)


def flags_of(content: str) -> tuple[str, ...]:
    """Flag `instructs the labeler` where the text speaks to whoever labels it; linear in its length."""
    return (INSTRUCTS,) if _INSTRUCTS.search(content) else ()
