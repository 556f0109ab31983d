import time

import pytest

from ctiforge.osbert.labeling.menus import MENU, menus_of

PROSE = "The group sends its victims a document, and whoever opens it starts a program that asks for more. " * 30
LINKS = "Home Products Cloud Security Windows 11 Apps Linux Agent Research & Reports About us Get in touch Blog " * 2


def menus(content: str) -> list[str]:
    return [content[start:end] for start, end in menus_of(content)]


@pytest.mark.parametrize("links", [LINKS.strip(), LINKS.strip().replace(" ", "\n"), LINKS.strip().replace(" ", " › ")])
def test_links_in_a_row_at_head_and_foot_are_menus(links: str) -> None:
    assert menus(f"{links}\n{PROSE}\n{links}") == [links.removesuffix("Blog").rstrip(" \n"), links]


@pytest.mark.parametrize(
    "content",
    [
        "",
        PROSE,
        PROSE + LINKS + PROSE,
        "New Botnet Hits Linux Servers in Europe By Jane Doe Senior Researcher " + PROSE,
        PROSE + "\n".join(f"C:\\\\Windows\\\\a{number}.exe" for number in range(40)),
        PROSE + "T1059.001 PowerShell T1053.005 Scheduled Task T1003.001 LSASS Memory " * 10,
        PROSE + "Windows, Linux, Android, Cisco, Citrix, Ivanti, Fortinet, " * 6,
        "攻击者 发送 钓鱼 邮件 窃取 凭据 " * 10,
    ],
)
def test_prose_a_title_and_lists_of_what_was_found_are_none(content: str) -> None:
    assert menus(content) == []


def test_fewer_links_are_no_menu() -> None:
    assert menus(" ".join(["Link"] * MENU)) == [" ".join(["Link"] * MENU)]
    assert menus(" ".join(["Link"] * (MENU - 1))) == []


def test_a_megabyte_is_read_in_linear_time() -> None:
    started = time.monotonic()
    menus_of((LINKS + PROSE) * 300)

    assert time.monotonic() - started < 10
