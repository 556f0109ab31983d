"""`ctiforge profile check` and `import`."""

import json
from pathlib import Path

import psycopg2
import pytest

from ctiforge.serving.profiles import load_profile
from tests.huntable import KEYS, ROLES, request
from tests.in_process import run_here


def profile(*arguments: str, cwd: Path, code: int = 0, url: str = "") -> str:
    done = run_here("profile", *arguments, cwd=cwd, environment={"DATABASE_URL": url})
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def test_check_prints_what_each_agent_is_known_by_and_answered(tmp_path: Path) -> None:
    said = profile("check", "huntable", cwd=tmp_path)
    assert said.startswith("profile huntable: 7 agents\n")
    services = said[said.index("ServicesExtract") : said.index("ScheduledTasksExtract")].splitlines()
    assert services[1] == "  asks for    services"
    assert services[2] == '  known by    the key "windows_services", else by the words "Windows service"'
    assert services[4] == '  answers     "windows_services", "count"'
    assert "              service_name              rule:service_name" in services


def test_check_says_the_place_of_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\n[article]\nafter = "x"\n[agent.A]\ntypes = "services"\n')
    assert "error: mine.toml: agent.A.recognize: Field required" in profile("check", "mine.toml", cwd=tmp_path, code=2)


@pytest.mark.parametrize("agent", KEYS)
def test_check_says_whose_a_request_is(agent: str, tmp_path: Path) -> None:
    messages = request(agent, "An article\nof two lines \x1b[31m.")
    for body in (messages, {"model": "m", "messages": messages}):
        (tmp_path / "request.json").write_text(json.dumps(body))
        said = profile("check", "huntable", "--request=request.json", cwd=tmp_path)
        assert said.startswith(
            f"{agent}: an article of 30 characters\n  title   A title\n  url     https://example.org/a\n"
        )
        assert "  begins  An article of two lines" in said
        assert "\x1b" not in said


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no JSON"),
        ('{"messages": 1}', "holds no messages"),
        ('[{"role": "user", "content": "Rank this."}]', "is no request of an agent of profile huntable"),
        (json.dumps(request("ServicesExtract", " ")), "is ServicesExtract's and holds no article"),
    ],
)
def test_check_refuses_what_is_no_request(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(content)
    assert told in profile("check", "huntable", "--request=request.json", cwd=tmp_path, code=3)


def test_check_says_which_file_is_not_there(tmp_path: Path) -> None:
    said = profile("check", "huntable", "--request=none.json", cwd=tmp_path, code=2)
    assert "--request none.json: No such file or directory; give the JSON file of a request" in said
    assert "profile '.' is a folder: give a TOML file" in profile("check", ".", cwd=tmp_path, code=2)


def configure(url: str, *prompts: object, table: bool = True) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        if table:
            cursor.execute("CREATE TABLE agentic_workflow_config (id serial, is_active boolean, agent_prompts jsonb)")
        for number, each in enumerate(prompts):
            cursor.execute(
                "INSERT INTO agentic_workflow_config (is_active, agent_prompts) VALUES (%s, %s)",
                (number == len(prompts) - 1, json.dumps(each)),
            )


def test_import_takes_the_words_of_the_configuration_in_use(database_url: str, tmp_path: Path) -> None:
    prompt = json.dumps({"role": "You are our service finder.", "task": "Find.", "json_example": {"ours": []}})
    configure(database_url, {"ServicesExtract": {"prompt": "{}"}}, {"ServicesExtract": {"prompt": prompt}, "Other": {}})
    said = profile("import", "--from-database", "--output=ours.toml", cwd=tmp_path, url=database_url)
    assert said == "1 agents -> ours.toml; look at it with `ctiforge profile check ours.toml`\n"
    written = load_profile(str(tmp_path / "ours.toml"))
    assert written.agent["ServicesExtract"].recognize.system == ("You are our service finder.", "Find.")
    assert written.agent["ServicesExtract"].answer.key == "ours"
    assert written.agent["CmdlineExtract"] == load_profile("huntable").agent["CmdlineExtract"]
    printed = profile("import", "--from-database", cwd=tmp_path, url=database_url)
    assert printed == (tmp_path / "ours.toml").read_text()


def test_import_says_what_is_missing(database_url: str, tmp_path: Path) -> None:
    assert "--from-database" in profile("import", cwd=tmp_path, code=2)
    assert "set DATABASE_URL" in profile("import", "--from-database", cwd=tmp_path, code=2)
    missing = profile("import", "--from-database", cwd=tmp_path, code=3, url=database_url)
    assert "no configuration in use" in missing
    configure(database_url, {"RankAgent": {"prompt": ROLES["ServicesExtract"]}})
    other = profile("import", "--from-database", cwd=tmp_path, code=3, url=database_url)
    assert "no prompt of an agent that profile huntable knows" in other
