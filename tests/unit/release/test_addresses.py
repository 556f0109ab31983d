"""Which addresses of articles are published, and what of them."""

import pytest

from ctiforge.release.addresses import is_below, is_open, public_address


@pytest.mark.parametrize(
    ("url", "published"),
    [
        ("https://blog.vendor.com/a/b", "https://blog.vendor.com/a/b"),
        (" http://vendor.com ", "http://vendor.com"),
        ("https://vendor.com/?p=1234&article=56", "https://vendor.com/?p=1234&article=56"),
        ("https://vendor.com/?lang=en&page=some-title", "https://vendor.com/?lang=en"),
        ("https://ana:secret@vendor.com/a#ana", "https://vendor.com/a"),
        ("https://vendor.com/a?utm_source=ana&token=abc&p=1", "https://vendor.com/a?p=1"),
        ("https://vendor.com/a?X-Amz-Signature=abc&sid=1&email=ana", "https://vendor.com/a"),
        # what is so long may be a key, whatever it is called
        (f"https://vendor.com/a?p={'a' * 32}", "https://vendor.com/a"),
        ("https://vendor.com/a?return=https://wiki.corp/x", "https://vendor.com/a"),
        ("https://vendor.com/a?k=AKIAIOSFODNN7EXAMPLE&jwt=eyJh.eyJz.c2ln&id=ghp_0123456789", "https://vendor.com/a"),
        ("https://vendor.com/a?otp=123456&pin=1234&u=jdoe&by=john.roe&access=zzz&h=1&%69d=1", "https://vendor.com/a"),
        ("https://vendor.com/a;jsessionid=ABC/b;v=1", "https://vendor.com/a/b"),
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
        # forms of an inner address that a browser reads
        "http://10.1/a",
        "http://0x0a.0.0.5/a",
        "http://0x0a.0.0.0x5/a",
        "http://167772165/a",
        "http://012.0.0.5/a",
        "http://[::ffff:10.0.0.5]/a",
        "http://wiki.team。local/a",
        # another host than a browser opens
        "https://vendor.com\\@other.com/a",
        "https://vendor.com/a\\b",
        # a host that leads to an inner address, and those of which an address is a key
        "https://10.0.0.5.nip.io/a",
        "https://127-0-0-1.nip.io/a",
        "https://www.dropbox.com/s/abc/report.pdf",
        "https://we.tl/t-abcdef",
        "https://1drv.ms/w/abc",
        "https://acme.sharepoint.com/sites/soc/report",
        "https://wiki-acme-com.translate.goog/x",
    ],
)
def test_what_only_a_team_can_open_is_not(url: str | None) -> None:
    assert public_address(url) is None


@pytest.mark.parametrize(
    "rest",
    [
        "by/jane.doe@acmesec.com/1",
        "by/jane.doe%2540acmesec.com/1",
        "web/2024/https://jdoe:pw@wiki.acme.local/x",
        "web/2024/https%3A%2F%2Fwiki.acme.local%2Fx",
        "proxy/wiki.acme.local/x",
        "proxy/10.0.0.5/x",
        "share/a-title",
        "share/eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "d/eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "d/AKIAIOSFODNN7EXAMPLE",
        "d/ghp_abcdefghij",
        "d/3F2504E0-4F89-11D3-9A0C-0305E82C3301",
        "d/9f86d081884c7d659a2feaa0c55ad015",
        "d/wJalrXUtnFEMIbPxRfiCY",
        "d/k=v",
        "report-on-10.0.0.5",
        "report_192.168.1.1_x",
        "report(172.16.0.9)",
        "web/20200101/wiki.acme.com/x",
        "web/20200101/wiki.acme.de",
        "mail/jane.doe(at)acmesec.com",
        "s/k3j2h4g5f6d7s8a/report.pdf",
        "S/K3J2H4G5F6D7",
        "api/v1/key/abcdef123456",
        "auth/abcdefabcdef",
        "Password/hunter2",
        "magic-link/abcdef",
        "signed/abcdef",
        "private/abc",
    ],
)
def test_an_address_whose_path_could_hold_a_key_or_an_address_is_not(rest: str) -> None:
    assert is_open(f"https://vendor.com/{rest}")
    assert public_address(f"https://vendor.com/{rest}") is None
    assert public_address("https://hooks.slack.com/services/T000/B000/XXXX") is None


@pytest.mark.parametrize(
    "path",
    [
        "2021/11/29/continuing-the-story/",
        "reports/opendirectory-62-60-237-100-20260506/",
        "Log4Shell-CVE-2021-44228_Explained.html",
        "blog/colunmtk-apt41/index.php",
        "@vendor/a-title-3f2a9b8c7d6e",
        "%e4%bd%a0%e5%a5%bd/T1547-014",
        "a%20b/TA505",
        "log4j2rce-in-7zip-and-x86/README.md",
        "chrome-on-8.8.8.8-explained/report.v2.pdf",
        "keys-to-the-kingdom/passwords-in-memory",
    ],
)
def test_a_path_of_words_is_published_as_it_is(path: str) -> None:
    assert public_address(f"https://vendor.com/{path}") == f"https://vendor.com/{path}"


def test_a_host_is_below_a_name_by_whole_labels() -> None:
    assert is_below("wiki.team.com", ("team.com",))
    assert is_below("team.com", ("team.com",))
    assert not is_below("myteam.com", ("team.com",))
