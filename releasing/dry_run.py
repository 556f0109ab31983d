"""What a release would publish, made on this machine and pushed nowhere. What its tools are missing for is said.

usage: python -m releasing.dry_run [--no-images]      into .ctiforge/release; --no-images: build none
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge import __version__
from releasing import notes, pin_images, sbom

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / ".ctiforge/release"
METADATA = "images.json"
BAKE = ["docker", "buildx", "bake", "--file", "docker/bake.hcl", "--set", "*.platform=linux/amd64"]
REGISTRY = "registry.invalid/ctiforge"
"""Nobody has it: nothing made here can be pushed or pulled by mistake."""


class Skipped(Exception):
    """A part that this machine cannot make, and why."""


def main(arguments: list[str]) -> int:
    """Make every part that can be made, then print what there is; 1 where one failed, 2 for another usage."""
    if arguments not in ([], ["--no-images"]):
        print(__doc__, file=sys.stderr)
        return 2
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    failed = False
    parts = {"notes": _notes, "build plan": _plan, "images": _images, "SBOMs": _sboms, "chart": _chart}
    for part, make in parts.items():
        try:
            if arguments and make is _images:
                raise Skipped("--no-images was given")
            make()
        except Skipped as why:
            print(f"{part}: left out: {why}")
        except (subprocess.CalledProcessError, LookupError, OSError, RuntimeError, ValueError) as error:
            print(f"error: {part}: {error}", file=sys.stderr)
            failed = True
    files = sorted(path for path in OUTPUT.iterdir() if path.is_file())
    print("\n".join(["", *table(files)]))
    return 1 if failed else 0


def table(files: list[Path]) -> Iterator[str]:
    """Rows of name, size and SHA-256, as many as there are files."""
    width = max((len(path.name) for path in files), default=0)
    for path in files:
        content = path.read_bytes()
        yield f"{path.name:<{width}}  {len(content):>9,} bytes  sha256:{hashlib.sha256(content).hexdigest()}"


def _notes() -> None:
    changelog = notes.CHANGELOG.read_text(encoding="utf-8")
    try:
        text = notes.notes(changelog, __version__)
    except LookupError:
        print(f"notes: CHANGELOG.md has no section [{__version__}] yet; [{notes.UNRELEASED}] stands in for it")
        text = notes.notes(changelog, notes.UNRELEASED)
    (OUTPUT / "NOTES.md").write_text(text, encoding="utf-8")


def _plan() -> None:
    _need_buildx()
    plan = subprocess.run([*BAKE, "--print"], cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
    if plan.returncode:
        raise RuntimeError(f"docker/bake.hcl cannot be read: {plan.stderr.strip()[-500:]}")
    (OUTPUT / "bake.json").write_text(plan.stdout, encoding="utf-8")


def _images() -> None:
    _need_buildx()
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        raise Skipped("no Docker engine answers")
    print("images: building both for linux/amd64", flush=True)
    command = [*BAKE, "--load", "--progress", "plain", "--metadata-file", str(OUTPUT / METADATA)]
    log = OUTPUT / "build.log"
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, cwd=ROOT, env=_environment(), stdout=file, stderr=file, check=False)
    if done.returncode:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise RuntimeError(f"the build failed, see {log}, which ends with\n{end}")


def _sboms() -> None:
    if not (OUTPUT / METADATA).exists():
        raise Skipped("no image was built")
    for image in pin_images.IMAGES:
        name = f"ctiforge-{image}"
        packages = sbom.installed(f"{REGISTRY}/{name}:{__version__}")
        text = sbom.sbom(name, __version__, packages)
        (OUTPUT / f"{name}.cdx.json").write_text(text, encoding="utf-8")
        print(f"SBOM of {name}: {len(packages)} packages")


def _chart() -> None:
    _need("helm")
    with TemporaryDirectory() as folder:
        chart = Path(folder) / "ctiforge"
        shutil.copytree(ROOT / "helm/ctiforge", chart)
        if (OUTPUT / METADATA).exists():
            if pin_images.main([str(chart), str(OUTPUT / METADATA)]):
                raise RuntimeError("its images could not be pinned")
        else:
            print("chart: its images are not pinned, since none was built")
        _package(chart)


def _package(chart: Path) -> None:
    lint, package = ["--quiet", "--set", "store.uri=s3://bucket/prefix"], ["--destination", str(OUTPUT)]
    for verb, flags in (("lint", lint), ("package", package)):
        done = subprocess.run(["helm", verb, str(chart), *flags], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"helm {verb} failed: {done.stdout}{done.stderr}".strip())


def _need(tool: str) -> None:
    if not shutil.which(tool):
        raise Skipped(f"{tool} is not on PATH")


def _need_buildx() -> None:
    _need("docker")
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode:
        raise Skipped("docker has no buildx: install its plug-in")


def _environment() -> dict[str, str]:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    told = {"REGISTRY": REGISTRY, "TAG": __version__, "VERSION": __version__}
    # newer bakes ask before they read a folder outside of the repository, such as one of wheels
    return {**os.environ, **told, "COMMIT": head.stdout.strip() or "unknown", "BUILDX_BAKE_ENTITLEMENTS_FS": "0"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
