"""Which addresses of articles are published, and what of them."""

import pytest

from ctiforge.release.addresses import is_below, public_address


@pytest.mark.parametrize(
    ("url", "published"),
    [
        ("https://blog.vendor.com/a/b", "https://blog.vendor.com/a/b"),
        (" http://vendor.com ", "http://vendor.com"),
        ("https://vendor.com/?p=1234&article=some-title", "https://vendor.com/?p=1234&article=some-title"),
        ("https://ana:secret@vendor.com/a#ana", "https://vendor.com/a"),
        ("https://vendor.com/a?utm_source=ana&token=abc&p=1", "https://vendor.com/a?p=1"),
        ("https://vendor.com/a?X-Amz-Signature=abc&sid=1&email=ana", "https://vendor.com/a"),
        # what is so long may be a key, whatever it is called
        (f"https://vendor.com/a?p={'a' * 32}", "https://vendor.com/a"),
        ("https://vendor.com/a?return=https://wiki.corp/x", "https://vendor.com/a"),
        ("https://8.8.8.8/a", "https://8.8.8.8/a"),
    ],
)
def test_what_anybody_can_open_is_published_without_what_is_one_persons(url: str, published: str) -> None:
    assert public_address(url) == published


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "no address",
        "file:///home/ana/report.txt",
        "s3://team-bucket/reports/1",
        "https://wiki/1",
        "http://localhost:8000/1",
        "https://wiki.team.local/1",
        "https://reports.corp/1",
        "https://reports.CORP./1",
        "https://10.0.0.5/1",
        "https://192.168.1.1:8443/1",
        "https://[fd00::1]/1",
        "http://127.0.0.1/1",
        "https://demo.invalid/1",
        "https://vendor.com:port/1",
        "https://[broken/1",
        "postgresql://user:password@db.team.com/articles",
    ],
)
def test_what_only_a_team_can_open_is_not(url: str | None) -> None:
    assert public_address(url) is None


def test_a_host_is_below_a_name_by_whole_labels() -> None:
    assert is_below("wiki.team.com", ("team.com",))
    assert is_below("team.com", ("team.com",))
    assert not is_below("myteam.com", ("team.com",))
